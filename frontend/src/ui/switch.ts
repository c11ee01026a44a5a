import { h } from "./dom.ts";

/** Create a switch, a button that is on or off. */
export function createSwitch({ label, testid, toggle }: { label: string; testid: string; toggle: () => void }) {
  const properties = { type: "button", class: "dwx-switch", role: "switch", "aria-checked": "true", "data-testid": testid };
  const element = h("button", { ...properties, "aria-label": label, title: label, onclick: toggle }, h("i", {}));
  const update = (on: boolean, newLabel = label) => {
    element.setAttribute("aria-checked", String(on));
    element.title = element.ariaLabel = newLabel;
  };
  return { element, update };
}

/** Describe a factor: "off", "× 0.5", or "on". */
export function describeFactor(factor: number): string {
  return factor === 1 ? "on" : factor === 0 ? "off" : `× ${Number(factor.toPrecision(3))}`;
}
