import type { UnitFactors } from "../kernel/unit_factors.ts";
import { focusedElement, h, setText } from "../ui/dom.ts";
import { createSwitch } from "../ui/switch.ts";

const MAX_FACTOR = 4;
const FACTOR_HINT = `The unit's map is multiplied by this factor, 0 to ${MAX_FACTOR}: 0 switches it off, 1 leaves it as it is`;

/** Create the switch and the factor of the selected unit. */
export function createUnitFactor(units: UnitFactors) {
  let shown = { layer: "", unit: 0 };
  const toggle = createSwitch({ label: "Unit on", testid: "unit-switch", toggle: () => units.toggle(shown.layer, shown.unit) });
  const state = h("span", { class: "dwx-unit-state", "data-testid": "unit-state" });
  const input = h("input", {
    type: "number",
    class: "dwx-search dwx-factor",
    min: 0,
    max: MAX_FACTOR,
    step: 0.25,
    title: FACTOR_HINT,
    "aria-label": "Factor",
    "data-testid": "factor",
  });
  input.addEventListener("change", () => {
    const value = Number(input.value);
    const isValid = input.value !== "" && value >= 0 && value <= MAX_FACTOR;
    if (isValid) units.set(shown.layer, shown.unit, value);
    else input.value = String(units.factor(shown.layer, shown.unit));
  });
  const field = h("label", { title: FACTOR_HINT, "data-part": "factor" }, "× ", input);
  const element = h("div", { class: "dwx-unit-switch" }, toggle.element, state, field);

  /** Show a unit. Return its factor. */
  const update = (layer: string, unit: number): number => {
    const moved = layer !== shown.layer || unit !== shown.unit;
    shown = { layer, unit };
    const factor = units.factor(layer, unit);
    toggle.update(factor !== 0, `Switch unit ${unit} ${factor === 0 ? "on" : "off"} (x)`);
    setText(state, factor === 0 ? "off, shown as if on" : factor === 1 ? "on" : "scaled");
    if (moved || focusedElement(input) !== input) input.value = String(factor);
    return factor;
  };
  return { element, update };
}
