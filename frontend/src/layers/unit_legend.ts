/** The lines above the grid that say what its tiles and their captions mean, and what the order "dead first" shows. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { countDead, type Table } from "./unit_table.ts";
import type { LayerState, View } from "./wire.ts";

/** Describe what the order "dead first" shows; empty for another order. */
export function describeDead({ sort, layer }: Pick<LayerState, "sort" | "layer">, table: Table): string {
  if (sort !== "dead") return "";
  const dead = countDead(table);
  if (!dead) return `No unit of ${layer} is dead: the weakest are first.`;
  return `${formatCount(dead, "unit")} of ${layer} ${dead === 1 ? "is" : "are"} dead, then the weakest follow.`;
}

/** Say why no unit is shown. @param k the number of strongest activations that are listed */
export function describeEmpty({ layer, filter, where, selected_units: selected }: LayerState, k: number): string {
  const reasons = [
    filter ? `has “${filter}” among its ${k} strongest activations` : "",
    where ? `satisfies “${where}”` : "",
    selected ? "is selected on the map" : "",
  ].filter(Boolean);
  return `No unit of ${layer} ${reasons.join(" and ")}.`;
}

const UNCHANGED = "Strongest activations and statistics: of the network with all units on.";

const TILES: Record<View, string> = {
  both: "projected to pixel space (left) and as patches (right)",
  projections: "projected to pixel space",
  patches: "as patches of the photographs",
};

export function createUnitLegend() {
  const tile = h("span", { class: "dwx-legend-tile", "data-testid": "tile-legend" });
  const frequent = h("span", { class: "dwx-legend-item" }, h("i", { class: "dwx-frequent" }), h("span", {}));
  const rare = h("span", { class: "dwx-legend-item" }, h("i", { class: "dwx-rare" }), h("span", {}));
  const bar = h("span", { class: "dwx-legend-item" }, "· classes:");
  const named = h("span", { class: "dwx-legend-item" });
  const unchanged = h("span", { class: "dwx-legend-dead", role: "status", "data-testid": "unchanged-note" });
  const dead = h("span", { class: "dwx-legend-dead", role: "status", "data-testid": "dead-note" });
  const quantity = h("span", {});
  const number = h("span", { class: "dwx-legend-item" }, "Below: ", h("b", {}, "unit"), " · ", quantity);
  const element = h("div", { class: "dwx-legend", "data-testid": "legend" }, unchanged, dead, tile, number, bar, frequent, rare, named);

  /** @param changed whether a unit of the layer or below it is switched off */
  const update = (state: LayerState, table: Table | undefined, changed: boolean) => {
    setText(unchanged, table && changed ? UNCHANGED : "");
    unchanged.hidden = !unchanged.textContent;
    const hasClasses = table !== undefined && Object.keys(table.categories).length > 0;
    for (const part of [bar, frequent, rare, named]) part.hidden = !hasClasses;
    number.hidden = tile.hidden = !table;
    setText(dead, table ? describeDead(state, table) : "");
    dead.hidden = !dead.textContent;
    if (!table) return;
    setText(quantity, state.sort === "contribution" && state.target ? `mean contribution to ${state.target}` : "maximum activation");
    setText(tile, `Each tile: a unit’s ${table.k} strongest activations, ${TILES[state.view]}`);
    setText(frequent.lastElementChild as HTMLElement, state.filter ? `“${state.filter}”` : "repeated");
    setText(rare.lastElementChild as HTMLElement, state.filter ? "another class" : "once");
    setText(named, state.filter ? "· its count" : "· most frequent class");
  };
  return { element, update };
}
