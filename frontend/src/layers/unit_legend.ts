/** The line above the grid that says what the captions of its tiles mean, and what the order "dead first" shows. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { countDead, type Table } from "./unit_table.ts";
import type { LayerState } from "./wire.ts";

/** Describe what the order "dead first" shows; empty for another order. */
export function describeDead({ sort, layer }: Pick<LayerState, "sort" | "layer">, table: Table): string {
  if (sort !== "dead") return "";
  const dead = countDead(table);
  if (!dead) return `No unit of ${layer} is dead: the weakest are first.`;
  return `${formatCount(dead, "unit")} of ${layer} ${dead === 1 ? "is" : "are"} dead, then the weakest follow.`;
}

export function createUnitLegend() {
  const frequent = h("span", { class: "dwx-legend-item" }, h("i", { class: "dwx-frequent" }), h("span", {}));
  const rare = h("span", { class: "dwx-legend-item" }, h("i", { class: "dwx-rare" }), h("span", {}));
  const bar = h("span", { class: "dwx-legend-item" });
  const dead = h("span", { class: "dwx-legend-dead", role: "status", "data-testid": "dead-note" });
  const number = h("span", { class: "dwx-legend-item" }, h("b", {}, "unit"), " maximum activation");
  const element = h("div", { class: "dwx-legend", "data-testid": "legend" }, dead, number, bar, frequent, rare);

  const update = (state: LayerState, table: Table | undefined) => {
    const hasClasses = table !== undefined && Object.keys(table.categories).length > 0;
    for (const part of [bar, frequent, rare]) part.hidden = !hasClasses;
    number.hidden = !table;
    setText(dead, table ? describeDead(state, table) : "");
    dead.hidden = !dead.textContent;
    if (!table) return;
    setText(bar, `bar: classes of the ${table.k} strongest`);
    setText(
      frequent.lastElementChild as HTMLElement,
      state.filter ? `“${state.filter}”, named with its count` : "more than once; the most frequent is named",
    );
    setText(rare.lastElementChild as HTMLElement, state.filter ? "another class" : "once");
  };
  return { element, update };
}
