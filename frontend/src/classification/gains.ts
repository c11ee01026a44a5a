/** Classes whose accuracy differs between two results. */
import { h } from "../ui/dom.ts";
import { createClassName } from "./class_names.ts";
import type { Gain } from "./class_results.ts";

/** Format a difference in percentage points, with its sign. */
export function formatPoints(points: number): string {
  const rounded = Math.abs(points) < 0.05 ? 0 : points;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded).toFixed(1)}`;
}

/** Create a list of classes with their change of accuracy. */
export function createGains(testid: string, title: string) {
  const list = h("ol", { class: "dwc-gains", "data-testid": testid });
  const element = h("div", {}, h("h4", {}, title), list);
  const update = (gains: Gain[], longest: number) => {
    const rows = gains.map(({ name, before, after, gain }) => {
      const fill = h("i", { class: gain > 0 ? "dwc-fill-right" : "dwc-fill-wrong", style: `width:${(100 * Math.abs(gain)) / longest}%` });
      const from = h("span", { class: "dwc-number dwc-dim" }, `${(100 * before).toFixed(0)} → ${(100 * after).toFixed(0)}%`);
      const points = h("span", { class: "dwc-number" }, formatPoints(100 * gain));
      const label = h("span", { class: "dwc-gain-name", title: name }, createClassName(name));
      return h("li", {}, label, h("span", { class: "dwc-track" }, fill), points, from);
    });
    list.replaceChildren(...(rows.length ? rows : [h("li", { class: "dwc-dim" }, "none")]));
  };
  return { element, update };
}
