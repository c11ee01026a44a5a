import { createSelect, focusedElement, h, setText } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { SORTS, suggestClasses, type Table } from "./unit_table.ts";
import type { Contrast, LayerState, TileSize } from "./wire.ts";

const CONTRASTS: [Contrast, string][] = [
  ["tile", "per tile"],
  ["shared", "shared"],
];
const SIZES: Choice<TileSize>[] = [
  ["small", "S", "Small tiles: more units in sight"],
  ["medium", "M", "Medium tiles"],
  ["large", "L", "Large tiles"],
];
const CONTRAST_HINT = "Scale each tile by 2.5 of its own standard deviations, or the tiles of a unit together";
const SEARCH_HINT = "A number selects that unit; a class name keeps the units with that class among their strongest activations";

/**
 * Create the toolbar above the grid: search, order, contrast, tile size, and the number of units, which has its place in another row.
 * @param submit called with the search text when it is submitted
 * @param filterBy called with the search text when it changes
 */
export function createToolbar({
  id,
  submit,
  filterBy,
  set,
  contributionSort,
}: {
  id: string;
  submit: (text: string) => void;
  filterBy: (text: string) => void;
  set: (patch: Partial<LayerState>) => void;
  /** The class by whose contributions the units are sorted. */
  contributionSort: HTMLElement;
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
  search.addEventListener("input", () => filterBy(search.value));
  search.addEventListener("change", () => submit(search.value));
  const sort = createSelect({ label: "Sort", testid: "sort", choices: SORTS, pick: (name) => set({ sort: name }) });
  const pickContrast = (contrast: Contrast) => set({ contrast });
  const contrast = createSelect({ label: "Contrast", testid: "contrast", choices: CONTRASTS, pick: pickContrast, hint: CONTRAST_HINT });
  const size = createRadioGroup({
    label: "Tile size",
    prefix: "size",
    testid: "tile-size",
    choices: SIZES,
    pick: (tile_size) => set({ tile_size }),
  });
  const count = h("span", { class: "dwx-count", "data-testid": "count" });
  const element = h("div", { class: "dwx-toolbar" }, search, list, sort.element, contrast.element, size.element, contributionSort);
  let suggested: Table | null = null;

  /** @param shown the number of filtered units */
  const update = (state: LayerState, table: Table | undefined, shown: number) => {
    sort.select.value = state.sort;
    contrast.select.value = state.contrast;
    size.show(state.tile_size);
    if (focusedElement(search) !== search) search.value = state.filter;
    count.dataset.filtered = String(table !== undefined && shown !== table.units);
    setText(count, table ? (shown === table.units ? `${shown} units` : `${shown} of ${table.units}`) : "");
    if (!table || table === suggested) return;
    suggested = table;
    list.replaceChildren(...suggestClasses(table).map((name) => h("option", { value: name })));
  };
  return { element, search, count, update };
}
