/** A slider for each transformation. One at a time is applied: moving a slider chooses its transformation. */
import { h } from "../ui/dom.ts";
import { createSlider } from "../ui/slider.ts";
import { formatAmount, sliderRange } from "./amounts.ts";
import type { InvarianceState, Transform } from "./wire.ts";

export function createSliders({ set }: { set: (patch: Partial<InvarianceState>) => void }) {
  const element = h("div", { class: "dwi-sliders", role: "group", "aria-label": "Transformations", "data-testid": "sliders" });
  let rows: { transform: Transform; row: HTMLElement; slider: ReturnType<typeof createSlider>; button: HTMLElement }[] = [];
  let key = "";

  const build = (transforms: Transform[]) => {
    rows = transforms.map((transform) => {
      const { name, label, neutral } = transform;
      const input = (amount: number) => set({ transform: name, amount });
      const slider = createSlider({ label, testid: `amount-${name}`, ...sliderRange(transform), input });
      const properties = { type: "button", class: "dwi-transform", "data-testid": `transform-${name}`, "aria-pressed": "false" };
      const title = `Show the curves of this transformation, and begin with the photograph as it is`;
      const button = h("button", { ...properties, title, onclick: () => set({ transform: name, amount: neutral }) }, label);
      return { transform, slider, button, row: h("div", { class: "dwi-slider-row" }, button, slider.element) };
    });
    element.replaceChildren(...rows.map(({ row }) => row));
  };

  const update = (transforms: Transform[], state: InvarianceState) => {
    const newKey = JSON.stringify(transforms);
    if (newKey !== key) build(transforms);
    key = newKey;
    for (const { transform, row, slider, button } of rows) {
      const active = transform.name === state.transform;
      const amount = active ? state.amount : transform.neutral;
      slider.show(amount, formatAmount(transform, amount));
      row.classList.toggle("dwi-active", active);
      button.setAttribute("aria-pressed", String(active));
    }
  };
  /** Move the focus to the slider of a transformation. */
  const focus = (name: string) => rows.find(({ transform }) => transform.name === name)?.slider.control.focus();
  return { element, update, focus };
}
