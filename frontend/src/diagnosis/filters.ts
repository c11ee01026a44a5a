/** All filters of the first layer, in bands of spatial frequency, or by aliasing or RMS. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { barText } from "./aliasing.ts";
import { createFilterTile } from "./filter_tile.ts";
import type { Filters } from "./store.ts";
import { type Band, describeFilter, filterBands } from "./texts.ts";
import type { FirstLayer, Sort, UnitName } from "./wire.ts";

const SORTS: Choice<Sort>[] = [
  ["frequency", "Frequency", "Bands of spatial frequency, by the mean frequency of each filter"],
  [
    "aliasing",
    "Aliasing",
    "The share of the filter's response that the stride cannot carry, or of its map after a blur, the largest first",
  ],
  ["rms", "RMS", "The root mean square of the filter's weights, the largest first"],
];
const MARKED_RMS = 1.5; // times the median

interface FiltersContent {
  first: FirstLayer;
  filters: Filters | undefined;
  sort: Sort;
  unit: UnitName | null;
}

export function createFilterGrid({ set, pick }: { set: (sort: Sort) => void; pick: (unit: UnitName) => void }) {
  const heading = h("span", { "data-testid": "filters-count" });
  const sorts = createRadioGroup({ label: "Order of the filters", prefix: "sort", testid: "sorts", choices: SORTS, pick: set });
  const bands = h("div", { class: "dwn-bands", "data-testid": "filters" });
  const legend = h("p", { class: "dwn-small" });
  const head = h("div", { class: "dwn-head" }, heading, h("span", { class: "dwn-space" }), sorts.element);
  const element = h("div", {}, head, bands, legend);
  let tiles: ReturnType<typeof createTile>[] = [];
  let arranged = "";
  let drawn: FirstLayer | null = null;
  bands.addEventListener("keydown", (event) => moveFocusInGrid(event, [...bands.querySelectorAll<HTMLElement>(".dwn-filter")]));

  const update = ({ first, filters, sort, unit }: FiltersContent) => {
    if (drawn !== first) {
      drawn = first;
      arranged = "";
      tiles = first.centre.map((_, number) => createTile(first, number, () => pick([first.alias, number])));
      setText(heading, `${formatCount(tiles.length, "filter")} of ${first.alias}, as pictures`);
      setText(legend, `${barText(first)}“${MARKED_RMS}×”: RMS over the median. Mid-gray is zero.`);
    }
    sorts.show(sort);
    if (arranged !== sort) {
      arranged = sort;
      bands.replaceChildren(...filterBands(first, sort).flatMap((band) => bandElements(band, tiles)));
    }
    const chosen = unit?.[0] === first.alias ? unit[1] : -1;
    for (const [number, tile] of tiles.entries()) tile.update(filters, number === chosen);
    if (!tiles.some(({ element: one }) => one.tabIndex === 0)) (tiles[0] as { element: HTMLElement }).element.tabIndex = 0;
  };
  return { element, update };
}

function bandElements({ name, text, units }: Band, tiles: { element: HTMLElement }[]): HTMLElement[] {
  const grid = h("div", { class: "dwn-grid" }, ...units.map((unit) => tiles[unit]?.element));
  return [...(name ? [h("p", { class: "dwn-band" }, h("b", {}, name), ` ${text}`)] : []), ...(units.length ? [grid] : [])];
}

function createTile(first: FirstLayer, unit: number, onclick: () => void) {
  const { canvas, draw } = createFilterTile();
  const ratio = first.rms_ratio[unit] ?? 0;
  const mark = ratio >= MARKED_RMS ? `${ratio.toFixed(1)}×` : null; // shown by the style: it is part of the label
  const share = first.aliased[unit];
  const bar = share === null || share === undefined ? null : h("u", {}, h("i", { style: `width: ${(100 * share).toFixed(1)}%` }));
  const label = `Filter ${unit}: ${describeFilter(first, unit)}`;
  const properties = { type: "button", class: "dwn-filter", tabindex: -1, title: label, "aria-label": label, onclick };
  const element = h("button", { ...properties, "data-testid": `filter-${unit}`, "data-mark": mark }, canvas, bar);
  const update = (filters: Filters | undefined, chosen: boolean) => {
    draw(filters, unit);
    if (element.getAttribute("aria-pressed") === String(chosen)) return;
    element.setAttribute("aria-pressed", String(chosen));
    element.tabIndex = chosen ? 0 : -1;
  };
  return { element, update };
}
