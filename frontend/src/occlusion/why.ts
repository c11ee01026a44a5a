/** What the tab "Why?" shows of a scene. */
import type { WhyContent } from "../contributions/why_panel.ts";
import type { Scene } from "./store.ts";
import type { HelloReply } from "./wire.ts";

/** Return the content; null without a class to explain. */
export function whyContent({ layers }: HelloReply, scene: Scene | null): WhyContent | null {
  if (!scene) return null;
  const { request, classes, image } = scene;
  const { target, against, layer } = request;
  if (target === null) return null;
  const name = (label: number | null) => classes.find((entry) => entry.label === label)?.name ?? "";
  // The maps of a layer depend on neither the unit nor the classes.
  const mapsRequest = { image: request.image, layer, unit: 0, target, against: null, fill: request.fill };
  return {
    image: request.image,
    photograph: image,
    mapsRequest,
    layer,
    layers: layers.map(({ id }) => id),
    target,
    targetName: name(target),
    against,
    againstName: name(against),
  };
}

/** Return the message if there is no content. */
export function whyMessage({ classes }: HelloReply, scene: Scene | null): string {
  if (!classes) return "The model predicts no classes, so there is no answer to explain: give it a head, or name its classes.";
  return scene ? "There is no class to explain." : "";
}
