import { toBlob } from "../kernel/buffers.ts";
import type { Lookup } from "../kernel/resource.ts";
import { h, type Properties, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { Projections } from "./store.ts";

const MAX_PROJECTIONS = 4; // this image, and three other photographs
const KINDS = ["projection", "patch"] as const;

/** Create the images of a projection and of its patch. */
function createPair(properties: Properties = {}) {
  const images = KINDS.map((kind) => h("img", { class: "dwo-image", alt: "", "data-kind": kind, draggable: "false", ...properties }));
  return { images, tiles: images.map((image) => h("div", { class: "dwo-tile" }, image)) };
}

/** Create the dialog that shows a projection and its patch enlarged; a click or Escape closes it. */
function createEnlarged() {
  const { images, tiles } = createPair();
  const caption = h("figcaption", {});
  const close = h("button", { type: "button", class: "dwo-button", "data-testid": "enlarged-close" }, "Close");
  const properties = { class: "dwo-enlarged", "aria-label": "Projection and patch", "data-testid": "enlarged" };
  const element = h("dialog", properties, h("figure", {}, ...tiles, caption), close);
  element.addEventListener("click", () => element.close());
  const open = (source: HTMLImageElement[], text: string) => {
    images.forEach((image, index) => {
      image.src = source[index]?.src ?? "";
      image.alt = source[index]?.alt ?? "";
    });
    setText(caption, text);
    element.showModal();
  };
  return { element, open, close: () => element.close() };
}

/** Create the projections of the feature map's strongest activations in this image and in others. */
export function createProjections() {
  let urls: string[] = [];
  let current: Projections | undefined;
  const message = h("p", { class: "dwo-dim", "data-testid": "projection-words" });
  const enlarged = createEnlarged();
  const slots = Array.from({ length: MAX_PROJECTIONS }, () => {
    const { images, tiles } = createPair({ hidden: true });
    const caption = h("figcaption", {});
    const onclick = () => enlarged.open(images, caption.title);
    const enlarge = h(
      "button",
      { type: "button", class: "dwo-enlarge-button", title: "Enlarge", "aria-label": "Enlarge", onclick },
      ...tiles,
    );
    const element = h("figure", { class: "dwo-projection", "data-testid": "projection" }, enlarge, caption);
    return { element, enlarge, images, caption };
  });
  const row = h("div", { class: "dwo-projections" }, ...slots.map(({ element }) => element));
  const names = h("div", { class: "dwo-row-names", "aria-hidden": "true" }, h("span", {}, "Projection"), h("span", {}, "Patch"));
  const rows = h("div", { class: "dwo-projection-rows" }, names, row);
  const hint = h("span", {}, "of the strongest activations of this feature map");
  const caption = h("div", { class: "dwo-part-caption" }, h("h3", {}, "Projections"), hint);
  const element = h("section", { class: "dwo-part", "aria-label": "Projections" }, caption, rows, message, enlarged.element);

  const release = () => {
    for (const url of urls) URL.revokeObjectURL(url);
    urls = [];
  };

  const fill = (projections: Projections | undefined) => {
    release();
    enlarged.close(); // it shows an outdated projection
    slots.forEach(({ element: figure, enlarge, images, caption }, index) => {
      const entry = projections?.entries[index];
      figure.dataset.filled = String(Boolean(entry));
      enlarge.disabled = !entry;
      images.forEach((image, imageIndex) => {
        image.hidden = !entry;
        if (!entry || !projections) return;
        const url = URL.createObjectURL(toBlob(projections.buffers[2 * index + imageIndex], entry.images[imageIndex as 0 | 1].mime));
        urls.push(url);
        image.src = url;
        image.alt = `${imageIndex ? "Patch" : "Projection"}: ${entry.caption}`;
      });
      setText(caption, entry ? (entry.own ? "this image" : entry.caption) : "");
      caption.title = entry ? `${entry.caption}: ${formatNumber(entry.value)}` : "";
      enlarge.setAttribute("aria-label", entry ? `Enlarge: ${entry.caption}` : "Empty");
    });
  };

  /** Show the projections. The previous ones are shown, dimmed, until they are loaded. */
  const update = ({ value, error }: Lookup<Projections>, indexReady: boolean) => {
    element.dataset.stale = String(!value && !error);
    if (value && value !== current) fill(value);
    if (error && current) fill(undefined);
    if (value || error) current = value;
    const text = error ?? (value ? describe(value.entries.length, indexReady) : message.textContent);
    message.hidden = !text;
    setText(message, text ?? "");
  };
  return { element, update, close: release };
}

function describe(count: number, indexReady: boolean): string {
  if (!count) return "The feature map is inactive in this image.";
  if (count === MAX_PROJECTIONS) return "";
  return indexReady
    ? "The feature map is inactive in all other photographs."
    : "Three other photographs are added when the activation index is complete.";
}
