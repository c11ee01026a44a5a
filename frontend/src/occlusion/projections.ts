import { toBlob } from "../kernel/buffers.ts";
import type { Lookup } from "../kernel/resource.ts";
import { h, type Properties, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { Projections } from "./store.ts";

const PLACES = 4; // this image, and the three strongest others
const KINDS = ["projection", "patch"] as const;

/** A projection above the image patch that caused it. */
function createPair(properties: Properties = {}) {
  const images = KINDS.map((kind) => h("img", { class: "dwo-image", alt: "", "data-kind": kind, draggable: "false", ...properties }));
  return { images, tiles: images.map((image) => h("div", { class: "dwo-tile" }, image)) };
}

/** One pair, large, over the page: a click or Escape closes it. */
function createEnlarged() {
  const { images, tiles } = createPair();
  const caption = h("figcaption", {});
  const close = h("button", { type: "button", class: "dwo-plain", "data-testid": "enlarged-close" }, "Close");
  const properties = { class: "dwo-enlarged", "aria-label": "Projection and image patch", "data-testid": "enlarged" };
  const element = h("dialog", properties, h("figure", {}, ...tiles, caption), close);
  element.addEventListener("click", () => element.close());
  const open = (shown: HTMLImageElement[], words: string) => {
    images.forEach((image, at) => {
      image.src = shown[at]?.src ?? "";
      image.alt = shown[at]?.alt ?? "";
    });
    setText(caption, words);
    element.showModal();
  };
  return { element, open, close: () => element.close() };
}

/** The feature map's strongest activations, in this image and in others, projected to pixel space. */
export function createProjections() {
  let addresses: string[] = [];
  let shown: Projections | undefined;
  const words = h("p", { class: "dwo-dim", "data-testid": "projection-words" });
  const enlarged = createEnlarged();
  const places = Array.from({ length: PLACES }, () => {
    const { images, tiles } = createPair({ hidden: true });
    const caption = h("figcaption", {});
    const onclick = () => enlarged.open(images, caption.title);
    const enlarge = h("button", { type: "button", class: "dwo-enlarge", title: "Enlarge", "aria-label": "Enlarge", onclick }, ...tiles);
    const element = h("figure", { class: "dwo-projection", "data-testid": "projection" }, enlarge, caption);
    return { element, enlarge, images, caption };
  });
  const row = h("div", { class: "dwo-projections" }, ...places.map(({ element }) => element));
  const caption = h("div", { class: "dwo-cap" }, h("h3", {}, "Projections"), h("span", {}, "above the image patches"));
  const element = h("section", { class: "dwo-part", "aria-label": "Projections" }, caption, row, words, enlarged.element);

  const release = () => {
    for (const address of addresses) URL.revokeObjectURL(address);
    addresses = [];
  };

  const fill = (projections: Projections | undefined) => {
    release();
    enlarged.close(); // it shows another map, or image
    places.forEach(({ element: place, enlarge, images, caption: under }, at) => {
      const entry = projections?.entries[at];
      place.dataset.filled = String(Boolean(entry));
      enlarge.disabled = !entry;
      images.forEach((image, part) => {
        image.hidden = !entry;
        if (!entry || !projections) return;
        const address = URL.createObjectURL(toBlob(projections.buffers[2 * at + part], entry.images[part as 0 | 1].mime));
        addresses.push(address);
        image.src = address;
        image.alt = `${part ? "Image patch" : "Projection"}: ${entry.caption}`;
      });
      setText(under, entry ? (entry.own ? "this image" : entry.caption) : "");
      under.title = entry ? `${entry.caption}: ${formatNumber(entry.value)}` : "";
      enlarge.setAttribute("aria-label", entry ? `Enlarge: ${entry.caption}` : "Empty");
    });
  };

  /** Show the projections; those before stay, dimmed, until others are there. */
  const update = ({ value, error }: Lookup<Projections>, indexReady: boolean) => {
    element.dataset.stale = String(!value && !error);
    if (value && value !== shown) fill(value);
    if (error && shown) fill(undefined);
    if (value || error) shown = value;
    const text = error ?? (value ? describe(value.entries.length, indexReady) : words.textContent);
    words.hidden = !text;
    setText(words, text ?? "");
  };
  return { element, update, close: release };
}

function describe(count: number, indexReady: boolean): string {
  if (!count) return "This feature map is not active in this image.";
  if (count === PLACES) return "";
  return indexReady ? "It is not active in other photographs." : "Three other photographs are added when the index is complete.";
}
