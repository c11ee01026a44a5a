import { createSelect, focusedElement, h, setText } from "../ui/dom.ts";
import { SORTS, suggestClasses, type Table } from "./unit_table.ts";
import type { Contrast, LayerState } from "./wire.ts";

const CONTRASTS: [Contrast, string][] = [
  ["tile", "per tile"],
  ["shared", "shared"],
];
const CONTRAST_HINT = "Scale each projection by 2.5 of its own standard deviations, or all projections of a unit by those of all of them";
const SEARCH_HINT = "A number jumps to that unit; a class name keeps the units with that class among their strongest activations";

/**
 * The row above the grid: search, order, contrast, and the number of units.
 * @param find called with the text when it is entered
 * @param typed called with the text at each change
 */
export function createToolbar({
  id,
  find,
  typed,
  set,
}: {
  id: string;
  find: (text: string) => void;
  typed: (text: string) => void;
  set: (patch: Partial<LayerState>) => void;
}) {
  const list = h("datalist", { id: `${id}-classes` });
  const search = h("input", {
    type: "search",
    class: "dwx-search",
    list: list.id,
    placeholder: "unit or class…",
    title: SEARCH_HINT,
    "aria-label": "Unit number or class",
    "data-testid": "search",
  });
  search.addEventListener("input", () => typed(search.value));
  search.addEventListener("change", () => find(search.value));
  const sort = createSelect({ label: "Sort", testid: "sort", choices: SORTS, pick: (name) => set({ sort: name }) });
  const pickContrast = (contrast: Contrast) => set({ contrast });
  const contrast = createSelect({ label: "Contrast", testid: "contrast", choices: CONTRASTS, pick: pickContrast, hint: CONTRAST_HINT });
  const count = h("span", { class: "dwx-count", "data-testid": "count" });
  const element = h("div", { class: "dwx-toolbar" }, search, list, sort.element, contrast.element, count);
  let suggested: Table | null = null;

  /** @param shown number of units that pass the filter */
  const update = (state: LayerState, table: Table | undefined, shown: number) => {
    sort.select.value = state.sort;
    contrast.select.value = state.contrast;
    if (focusedElement(search) !== search) search.value = state.filter;
    setText(count, table ? (shown === table.units ? `${shown} units` : `${shown} of ${table.units}`) : "");
    if (!table || table === suggested) return;
    suggested = table;
    list.replaceChildren(...suggestClasses(table).map((name) => h("option", { value: name })));
  };
  return { element, search, update };
}
