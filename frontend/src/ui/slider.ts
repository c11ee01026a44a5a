import { h } from "./dom.ts";

/** A slider and its value as text. */
export function createSlider({
  label,
  testid,
  min,
  max,
  step,
  input,
}: {
  label: string;
  testid: string;
  min: number;
  max: number;
  step: number;
  input: (value: number) => void;
}) {
  const properties = { type: "range", class: "dwx-slider", "data-testid": testid, "aria-label": label, min, max, step };
  const control = h("input", properties);
  control.addEventListener("input", () => input(Number(control.value)));
  const text = h("output", { class: "dwx-slider-value", "data-testid": `${testid}-value` });
  const element = h("span", { class: "dwx-slide" }, control, text);

  /** @param words the value as text, also for screen readers */
  const show = (value: number, words: string) => {
    if (control.value !== String(value)) control.value = String(value); // not while it is dragged there
    if (text.textContent !== words) text.textContent = words;
    control.setAttribute("aria-valuetext", words);
  };
  return { element, control, show };
}
