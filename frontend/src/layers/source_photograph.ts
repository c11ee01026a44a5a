import { h, setText } from "../ui/dom.ts";
import { fitInside } from "./grid_layout.ts";
import type { SourceFound } from "./store.ts";

/** The whole source photograph: what the unit saw is framed, the rest dimmed, what the model was not shown is beyond a thin line. */
export function createPhotograph() {
  const caption = h("div", { class: "dwx-cap", "data-testid": "source-caption" });
  const canvas = h("canvas", { role: "img", "data-testid": "source" });
  const box = h("div", { class: "dwx-box", "data-testid": "source-box" });
  const shown = h("div", { class: "dwx-view", title: "the part that the model was shown" });
  const frame = h("div", { class: "dwx-photograph" }, canvas, box, shown);
  const error = h("p", { class: "dwx-error", hidden: true });
  const room = h("div", { class: "dwx-room" }, frame, error);
  const element = h("div", { class: "dwx-source" }, caption, room);
  let drawn: ImageBitmap | null = null;

  /** @param shares left, top, right, bottom */
  const place = (part: HTMLElement, shares: number[] | null) => {
    part.hidden = !shares;
    if (!shares) return;
    const [left, top, right, bottom] = shares.map((share) => `${100 * share}%`);
    Object.assign(part.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
  };

  /** @param width CSS pixels to fill */
  const update = (
    { found, bitmap, failure, words }: { found: SourceFound | undefined; bitmap: ImageBitmap | undefined; failure: string | undefined; words: string },
    width: number,
    height: number,
  ) => {
    setText(caption, found?.caption ?? words);
    caption.title = caption.textContent ?? "";
    error.hidden = !failure;
    setText(error, failure ?? "");
    frame.hidden = Boolean(failure);
    frame.dataset.ready = String(Boolean(found && bitmap));
    if (!found || !bitmap) return; // the one before stays, dimmed, until this one comes
    const fit = fitInside(found.width, found.height, width, height);
    frame.style.width = `${fit.width}px`;
    frame.style.height = `${fit.height}px`;
    if (drawn !== bitmap) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      drawn = bitmap;
    }
    canvas.setAttribute("aria-label", `source photograph ${found.caption}, with the unit's receptive field framed`);
    place(box, found.box);
    const whole = found.shown?.every((share, at) => (at < 2 ? share <= 0.001 : share >= 0.999));
    place(shown, whole ? null : found.shown);
  };
  return { element, room, update };
}
