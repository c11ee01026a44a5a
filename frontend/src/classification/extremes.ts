/** Lists of the best and of the worst classes. */
import { h } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import { accuracyOf, type ClassResults, categoryOf } from "./class_results.ts";

/**
 * Create a list of classes with their accuracy.
 * @param open shows their photographs
 */
export function createExtremes({ testid, title, open }: { testid: string; title: string; open: () => void }) {
  const list = h("ol", { class: "dwc-extreme-list", "data-testid": testid });
  const all = h("button", { type: "button", class: "dwc-link", "data-testid": `${testid}-open`, onclick: open }, "show photographs");
  const element = h("div", {}, h("div", { class: "dwc-pane-head" }, h("h4", {}, title), all), list);
  const update = (run: ClassResults, labels: number[]) => {
    element.hidden = !labels.length;
    const rows = labels.map((label) => {
      const [name, accuracy] = [categoryOf(run, label), accuracyOf(run, label)];
      const fill = h("i", { class: "dwc-fill-right", style: `width:${100 * accuracy}%` });
      const nameElement = h("span", { class: "dwc-gain-name", title: name }, createClassName(name));
      return h("li", {}, nameElement, h("span", { class: "dwc-track" }, fill), h("span", { class: "dwc-number" }, formatPercent(accuracy)));
    });
    list.replaceChildren(...rows);
  };
  return { element, update };
}
