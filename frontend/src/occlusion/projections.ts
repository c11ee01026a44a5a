import type { Lookup } from "../kernel/resource.ts";
import { h, type Properties, setText } from "../ui/dom.ts";
import { createEnlargedView, type Picture } from "../ui/enlarged_view.ts";
import { formatNumber } from "../ui/format.ts";
import type { ProjectionEntry } from "./store.ts";
import type { ResolvedRequest } from "./wire.ts";

const MAX_PROJECTIONS = 4; // this image, and three other photographs
const KINDS = ["projection", "patch"] as const;

/** Create the images of a projection and of its patch. */
function createPair(properties: Properties = {}) {
  const images = KINDS.map((kind) => h("img", { class: "dwo-image", alt: "", "data-kind": kind, draggable: "false", ...properties }));
  return { images, tiles: images.map((image) => h("div", { class: "dwo-tile" }, image)) };
}

/** Return a loaded image; undefined before. */
function picture(image: HTMLImageElement | undefined): Picture | undefined {
  return image?.naturalWidth ? { image, width: image.naturalWidth, height: image.naturalHeight } : undefined;
}

/** Create the projections of the feature map's strongest activations in this image and in others. */
export function createProjections({ id }: { id: string }) {
  let urls: string[] = [];
  let current: ProjectionEntry[] | undefined;
  let [layer, unit] = ["", 0];
  const message = h("p", { class: "dwo-dim", "data-testid": "projection-words" });
  let enlargedIndex = 0;
  const enlarged = createEnlargedView({
    id,
    columns: MAX_PROJECTIONS,
    move: (index) => enlarge(index),
    closed: () => slots[enlargedIndex]?.enlarge.focus(),
  });
  const slots = Array.from({ length: MAX_PROJECTIONS }, (_, index) => {
    const { images, tiles } = createPair({ hidden: true });
    const caption = h("figcaption", {});
    const onclick = () => enlarge(index);
    const button = h(
      "button",
      { type: "button", class: "dwo-enlarge-button", title: "Enlarge", "aria-label": "Enlarge", onclick },
      ...tiles,
    );
    const element = h("figure", { class: "dwo-projection", "data-testid": "projection" }, button, caption);
    return { element, enlarge: button, images, caption };
  });
  const row = h("div", { class: "dwo-projections" }, ...slots.map(({ element }) => element));
  const names = h("div", { class: "dwo-row-names", "aria-hidden": "true" }, h("span", {}, "Projection"), h("span", {}, "Patch"));
  const rows = h("div", { class: "dwo-projection-rows" }, names, row);
  const hint = h("span", {}, "of the strongest activations of this feature map");
  const caption = h("div", { class: "dwo-part-caption" }, h("h3", {}, "Projections"), hint);
  const element = h("section", { class: "dwo-part", "aria-label": "Projections" }, caption, rows, message, enlarged.element);

  function enlarge(index: number): void {
    const [slot, entry] = [slots[index], current?.[index]];
    if (!slot || !entry || !current) return;
    enlargedIndex = index;
    enlarged.open({
      title: `${layer} / ${unit} · activation ${formatNumber(entry.value)}`,
      caption: `${entry.own ? "this image" : `one of the ${current.length - 1} strongest other photographs`} · ${entry.caption}`,
      index,
      count: current.length,
      projectionTitle: "Projection (deconvnet)",
      rejectionReason: "",
      projection: picture(slot.images[0]),
      patch: picture(slot.images[1]),
      sharp: true,
      photograph: { source: entry.source, map: entry.map, name: entry.caption },
      error: "",
    });
  }

  const release = () => {
    for (const url of urls) URL.revokeObjectURL(url);
    urls = [];
  };

  const fill = (entries: ProjectionEntry[] | undefined) => {
    release();
    enlarged.close(); // it shows an outdated projection
    slots.forEach(({ element: figure, enlarge, images, caption }, index) => {
      const entry = entries?.[index];
      figure.dataset.filled = String(Boolean(entry));
      enlarge.disabled = !entry;
      images.forEach((image, imageIndex) => {
        image.hidden = !entry;
        if (!entry) return;
        const url = URL.createObjectURL(imageIndex ? entry.patch : entry.projection);
        urls.push(url);
        image.src = url;
        image.alt = `${imageIndex ? "Patch" : "Projection"}: ${entry.caption}`;
      });
      setText(caption, entry ? (entry.own ? "this image" : (entry.caption.split(" · ")[0] ?? "")) : ""); // the label, or else the name
      caption.title = entry ? `${entry.caption}: ${formatNumber(entry.value)}` : "";
      enlarge.setAttribute("aria-label", entry ? `Enlarge: ${entry.caption}` : "Empty");
    });
  };

  /** Show the projections. The previous ones are shown, dimmed, until they are loaded. */
  const update = ({ value, error }: Lookup<ProjectionEntry[]>, request: ResolvedRequest, indexReady: boolean) => {
    element.dataset.stale = String(!value && !error);
    if (value && value !== current) fill(value);
    if (error && current) fill(undefined);
    if (value || error) current = value;
    if (value) ({ layer, unit } = request);
    const text = error ?? (value ? describe(value.length, indexReady) : message.textContent);
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
