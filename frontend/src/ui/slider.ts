import { h } from "./dom.ts";

/** Create a slider with its value as text. */
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
  const output = h("output", { class: "dwx-slider-value", "data-testid": `${testid}-value` });
  const element = h("span", { class: "dwx-slide" }, control, output);

  /** @param valueText the value as text, also for screen readers */
  const show = (value: number, valueText: string) => {
    if (control.value !== String(value)) control.value = String(value);
    if (output.textContent !== valueText) output.textContent = valueText;
    control.setAttribute("aria-valuetext", valueText);
  };
  return { element, control, show };
}
