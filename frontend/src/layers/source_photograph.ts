import type { Lookup } from "../kernel/resource.ts";
import { context2d, h, setText } from "../ui/dom.ts";
import { createFrameLegend, isWhole, placeBox } from "../ui/map_overlay.ts";
import type { Source } from "./store.ts";

/** Return the largest size with the aspect ratio of an image that fits into a box. */
export function fitInside(width: number, height: number, maxWidth: number, maxHeight: number): { width: number; height: number } {
  const scale = Math.min(maxWidth / width, maxHeight / height);
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/** Return the longer side in pixels that a photograph beside mosaics is requested with. */
export function photographSize(): number {
  return (window.devicePixelRatio || 1) > 1 ? 960 : 480;
}

/**
 * Create the view of a source photograph, with a frame around the receptive field and a thin line around the crop.
 * @param action an element beside the caption
 */
export function createSourcePhotograph({ enlarge, action }: { enlarge: () => void; action: HTMLElement }) {
  const caption = h("div", { class: "dwx-part-caption", "data-testid": "source-caption" });
  const canvas = h("canvas", { role: "img", "data-testid": "source" });
  const box = h("div", { class: "dwx-box", "data-testid": "source-box" });
  const crop = h("div", { class: "dwx-crop", title: "The crop: the input of the model" });
  // Not focusable: the button "Enlarge" does the same.
  const frame = h("div", { class: "dwx-photograph", title: "Enlarge", onclick: enlarge }, canvas, box, crop);
  const legend = createFrameLegend();
  const error = h("p", { class: "dwx-error", hidden: true });
  const container = h("div", { class: "dwx-photograph-container" }, frame, error);
  const head = h("div", { class: "dwx-source-head" }, caption, action);
  const element = h("div", { class: "dwx-source" }, head, container, legend.element);
  let drawnBitmap: ImageBitmap | null = null;

  const setBox = (part: HTMLElement, fractions: number[] | null) => {
    part.hidden = !fractions;
    if (fractions) placeBox(part, fractions);
  };

  /**
   * Show a photograph. The previous one is shown, dimmed, until it is loaded.
   * @param loadingCaption the caption until then
   * @param width the available width in CSS pixels
   */
  const update = ({ value: source, error: reason }: Lookup<Source>, loadingCaption: string, width: number, height: number) => {
    setText(caption, source?.caption ?? loadingCaption);
    caption.title = caption.textContent ?? "";
    error.hidden = !reason;
    setText(error, reason ?? "");
    frame.hidden = Boolean(reason);
    frame.dataset.ready = String(Boolean(source));
    if (!source) return;
    const fit = fitInside(source.width, source.height, width, height);
    frame.style.width = `${fit.width}px`;
    frame.style.height = `${fit.height}px`;
    const { bitmap } = source;
    if (drawnBitmap !== bitmap) {
      Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      context2d(canvas).drawImage(bitmap, 0, 0);
      drawnBitmap = bitmap;
    }
    canvas.setAttribute("aria-label", `Source photograph ${source.caption}, with the unit's receptive field framed`);
    setBox(box, source.box);
    setBox(crop, isWhole(source.crop) ? null : source.crop);
    legend.update(!crop.hidden);
  };
  return { element, container, update };
}
