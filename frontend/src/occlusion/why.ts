/** The tab "Why?": the units behind the answer of a scene. */
import { type WhyContent, WhyPanel } from "../contributions/why_panel.ts";
import type { ExplorerView } from "../ui/explorer_view.ts";
import type { OcclusionStore, Scene } from "./store.ts";
import type { HelloReply, OcclusionState } from "./wire.ts";

type View = Pick<ExplorerView<OcclusionState, OcclusionStore>, "store" | "set" | "showing" | "requestDraw" | "download">;

export class WhyTab {
  private readonly panel: WhyPanel;
  private content: WhyContent | null = null;

  constructor(private readonly view: View) {
    const { store } = view;
    this.panel = new WhyPanel({
      store: store.contributions,
      units: store.units,
      open: (layer, unit) => void view.showing?.show("LayerExplorer", { state: { layer, unit } }),
      pickLayer: (layer) => view.set({ layer, unit: null }),
      toggle: (layer, unit) => this.toggle(layer, unit),
      changed: () => view.requestDraw(),
      save: (request, file) => void view.download("contributions_file", { request, file }, file),
    });
  }

  get element(): HTMLElement {
    return this.panel.element;
  }

  update(hello: HelloReply, scene: Scene | null): void {
    this.content = whyContent(hello, scene);
    this.panel.update(this.content, whyMessage(hello, scene));
  }

  /** Switch a unit off, or on again. The classes in question stay the same, though the answer may be another one then. */
  private toggle(layer: string, unit: number): void {
    const { content, view } = this;
    if (content) view.set({ target: content.targetName, against: content.against === null ? null : content.againstName });
    view.store.units.toggle(layer, unit);
  }
}

/** Return the content; null without a class to explain. */
function whyContent({ layers }: HelloReply, scene: Scene | null): WhyContent | null {
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
function whyMessage({ classes }: HelloReply, scene: Scene | null): string {
  if (!classes) return "The model predicts no classes, so there is no answer to explain: give it a head, or name its classes.";
  return scene ? "There is no class to explain." : "";
}
