/** The photograph of the shift microscope, which is dragged, and its controls. */
import { context2d, devicePixels, h, setText } from "../ui/dom.ts";
import { createSlider } from "../ui/slider.ts";
import type { Photograph, Shifted } from "./store.ts";
import { percent, signedPercent } from "./texts.ts";

export type Shift = [right: number, down: number];

const SLIDER = 16; // as far as the curves

/** Return a shift within the margin. */
export function clampShift([right, down]: Shift, margin: number): Shift {
  const clamp = (pixels: number) => Math.min(margin, Math.max(-margin, Math.round(pixels))) || 0; // no negative zero
  return [clamp(right), clamp(down)];
}

/** Return a shift in words: "5 px right, 2 px up". */
export function describeShift([right, down]: Shift): string {
  const sides = [
    right ? `${Math.abs(right)} px ${right > 0 ? "right" : "left"}` : "",
    down ? `${Math.abs(down)} px ${down > 0 ? "down" : "up"}` : "",
  ];
  return sides.filter(Boolean).join(", ") || "not shifted";
}

/** Return what of a shifted photograph repeats edge pixels, in words; empty if nothing does. */
export function describeFilled(
  { filled: [left, top, right, bottom], margin }: Pick<Photograph, "filled" | "margin">,
  shift: Shift,
): string {
  const short = (filled: number, pixels: number) => Math.max(0, pixels - (margin - filled));
  const [across, along] = shift;
  const most = Math.max(across > 0 ? short(left, across) : short(right, -across), along > 0 ? short(top, along) : short(bottom, -along));
  return most ? `${most} px beside the photograph repeat its edge` : "";
}

export function createStage({ move, step }: { move: (shift: Shift) => void; step: (photographs: number) => void }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const label = "Photograph: drag it, or use the arrow keys";
  const frame = h("div", { class: "dwn-stage", tabindex: 0, role: "application", "aria-label": label, "data-testid": "stage" }, canvas);
  const slider = createSlider({ label: "Shift to the right", testid: "shift", min: 0, max: SLIDER, step: 1, input: (x) => move([x, 0]) });
  const previous = h("button", { type: "button", class: "dwn-step", "aria-label": "Previous photograph", onclick: () => step(-1) }, "‹");
  const next = h("button", { type: "button", class: "dwn-step", "aria-label": "Next photograph", onclick: () => step(1) }, "›");
  const caption = h("span", { class: "dwn-caption", "data-testid": "photograph" });
  const place = h("p", { class: "dwn-place", "data-testid": "place" });
  const name = h("b", { "data-testid": "class" });
  const probability = h("span", { class: "dwn-probability", "data-testid": "probability" });
  const note = h("p", { class: "dwn-small", "data-testid": "stage-note" });
  const element = h(
    "div",
    { class: "dwn-stage-column" },
    h("div", { class: "dwn-photographs" }, previous, caption, next),
    frame,
    h("div", { class: "dwn-slider" }, h("span", { class: "dwn-dim" }, "right"), slider.element),
    place,
    h("p", { class: "dwn-class" }, name, probability),
    note,
  );
  let photograph: Photograph | undefined;
  let shift: Shift = [0, 0];
  let dragged: { x: number; y: number; shift: Shift } | null = null;

  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !photograph) return;
    frame.setPointerCapture(event.pointerId);
    dragged = { x: event.clientX, y: event.clientY, shift };
    event.preventDefault();
    frame.focus({ preventScroll: true });
  });
  frame.addEventListener("pointermove", (event) => {
    if (!dragged || !photograph) return;
    const scale = photograph.width / frame.getBoundingClientRect().width;
    const [right, down] = dragged.shift;
    const moved = clampShift([right + (event.clientX - dragged.x) * scale, down + (event.clientY - dragged.y) * scale], photograph.margin);
    if (moved[0] !== shift[0] || moved[1] !== shift[1]) move(moved);
  });
  const release = () => {
    dragged = null;
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("dblclick", () => move([0, 0]));

  const draw = () => {
    if (!photograph) return;
    const { width, height, margin, bitmap } = photograph;
    frame.style.aspectRatio = `${width} / ${height}`;
    const [columns, rows] = devicePixels(frame);
    if (!columns || !rows) return;
    if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
    context2d(canvas).drawImage(bitmap, margin - shift[0], margin - shift[1], width, height, 0, 0, columns, rows);
  };

  const update = (newPhotograph: Photograph | undefined, error: string | undefined, newShift: Shift, shifted: Shifted | undefined) => {
    photograph = newPhotograph ?? photograph;
    shift = newShift;
    draw();
    slider.show(Math.min(SLIDER, Math.max(0, shift[0])), `${Math.min(SLIDER, Math.max(0, shift[0]))} px`);
    const onSlider = shift[1] === 0 && shift[0] >= 0 && shift[0] <= SLIDER; // which says it then
    setText(place, onSlider ? "" : describeShift(shift));
    const { caption: words = "", label: truth = null } = photograph ?? {};
    setText(caption, truth ? `${words} · ${truth}` : words);
    caption.title = caption.textContent ?? "";
    const filled = photograph ? describeFilled(photograph, shift) : "";
    drawClass(shifted, filled);
    if (error) setText(note, error);
  };

  const drawClass = (shifted: Shifted | undefined, filled: string) => {
    const predicted = shifted?.predicted;
    setText(name, predicted?.name ?? "");
    const change = predicted ? signedPercent(predicted.after - predicted.before, 0, " points") : "";
    setText(probability, predicted ? `${percent(predicted.after)}${change === "0 points" ? "" : ` (${change})`}` : "");
    probability.dataset.less = String(predicted !== undefined && predicted !== null && predicted.after < predicted.before - 0.005);
    const which = predicted ? (predicted.reference === "label" ? "" : "predicted before the shift") : "";
    const now = predicted && predicted.now !== predicted.name ? `now predicted: ${predicted.now}` : "";
    const none = shifted && !predicted ? "The model predicts no probabilities." : "";
    setText(note, [which, now, filled, none].filter(Boolean).join(" · "));
  };
  return { element, frame, update };
}
