import type { Lookup } from "../kernel/resource.ts";
import { context2d, h, setText } from "../ui/dom.ts";
import type { Source } from "./store.ts";

/** Return the largest size of a image's shape inside a room. */
export function fitInside(width: number, height: number, roomWidth: number, roomHeight: number): { width: number; height: number } {
  const scale = Math.min(roomWidth / width, roomHeight / height);
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/** The whole source photograph: the receptive field is framed, the rest dimmed; a thin line shows the crop that the model was given. */
export function createSourcePhotograph() {
  const caption = h("div", { class: "dwx-cap", "data-testid": "source-caption" });
  const canvas = h("canvas", { role: "img", "data-testid": "source" });
  const box = h("div", { class: "dwx-box", "data-testid": "source-box" });
  const crop = h("div", { class: "dwx-crop", title: "The crop that the model was given" });
  const frame = h("div", { class: "dwx-photograph" }, canvas, box, crop);
  const error = h("p", { class: "dwx-error", hidden: true });
  const room = h("div", { class: "dwx-room" }, frame, error);
  const element = h("div", { class: "dwx-source" }, caption, room);
  let drawn: ImageBitmap | null = null;

  const place = (part: HTMLElement, shares: number[] | null) => {
    part.hidden = !shares;
    if (!shares) return;
    const [left = 0, top = 0, right = 1, bottom = 1] = shares;
    const percent = (share: number) => `${100 * share}%`;
    Object.assign(part.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
  };

  /**
   * Show a photograph; the one before stays, dimmed, until it is there.
   * @param words the caption until then
   * @param width CSS pixels to fill
   */
  const update = ({ value: source, error: reason }: Lookup<Source>, words: string, width: number, height: number) => {
    setText(caption, source?.caption ?? words);
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
    if (drawn !== bitmap) {
      Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      context2d(canvas).drawImage(bitmap, 0, 0);
      drawn = bitmap;
    }
    canvas.setAttribute("aria-label", `Source photograph ${source.caption}, with the unit's receptive field framed`);
    place(box, source.box);
    const isWhole = source.crop?.every((share, at) => (at < 2 ? share <= 0.001 : share >= 0.999));
    place(crop, isWhole ? null : source.crop);
  };
  return { element, room, update };
}
