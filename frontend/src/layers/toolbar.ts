import { createSelect, h, setText } from "../ui/dom.ts";
import { SORTS, suggestions } from "./unit_table.ts";
import type { Table } from "./unit_table.ts";
import type { Contrast, LayerState } from "./wire.ts";

const SCALING = "Scale each tile by 2.5 of its own standard deviations, or the nine of a unit by those of all nine together";
const NEGATIVE =
  "A projection has negative values. Rectifiers keep each layer's signal positive, but filters have negative weights: where a pixel is darker than grey, less light there, in that colour, would excite the unit more.";
const KEYS: [string[], string][] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "open"],
  [["/"], "search"],
  [["p"], "pin"],
  [["Esc"], "leave"],
];

/** Above the grid: one box that jumps to a unit or filters by class, sort, contrast, and how many units are shown. */
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
  const hint = {
    placeholder: "unit or class…",
    title: "A number jumps to that unit; words keep the units with such a class among their nine",
  };
  const search = h("input", {
    type: "search",
    class: "dwx-search",
    list: list.id,
    "aria-label": "Unit number or class",
    "data-testid": "search",
    ...hint,
  });
  search.addEventListener("input", () => typed(search.value));
  search.addEventListener("change", () => find(search.value));
  const sort = createSelect({ label: "sort", testid: "sort", choices: SORTS, pick: (name) => set({ sort: name }) });
  const scales: [Contrast, string][] = [
    ["tile", "per tile"],
    ["shared", "shared"],
  ];
  const contrast = createSelect({
    label: "contrast",
    testid: "contrast",
    choices: scales,
    pick: (name) => set({ contrast: name }),
    hint: SCALING,
  });
  const count = h("span", { class: "dwx-count", "data-testid": "count" });
  const element = h("div", { class: "dwx-toolbar" }, search, list, sort.element, contrast.element, count);
  let suggested: Table | null = null;

  const update = ({ state, table, shown }: { state: LayerState; table: Table | undefined; shown: number }) => {
    sort.select.value = state.sort;
    contrast.select.value = state.contrast;
    const { activeElement } = search.getRootNode() as Document | ShadowRoot;
    if (activeElement !== search) search.value = state.filter;
    setText(count, table ? (shown === table.units ? `${shown} units` : `${shown} of ${table.units}`) : "");
    if (table && table !== suggested) {
      suggested = table;
      list.replaceChildren(...suggestions(table).map((name) => h("option", { value: name })));
    }
  };
  return { element, search, update };
}

/** Beneath everything: keys, and what grey means. */
export function createFooter() {
  const status = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const last = h("kbd", {}, "9");
  const layers = h("span", { class: "dwx-hint" }, h("kbd", {}, "1"), "–", last, " layer");
  const hints = KEYS.map(([keys, words]) => h("span", { class: "dwx-hint" }, ...keys.map((key) => h("kbd", {}, key)), ` ${words}`));
  const grey = h("span", { class: "dwx-grey" });
  const element = h("footer", { class: "dwx-footer" }, ...hints, layers, status, grey);
  grey.title = NEGATIVE;
  grey.tabIndex = 0;

  /** @param count of layers */
  const update = (contrast: string, words: string, count: number) => {
    layers.hidden = count < 2;
    setText(last, String(Math.min(9, count)));
    const scaled =
      contrast === "tile"
        ? "Each tile is resampled, then scaled by 2.5 of its standard deviations."
        : "The nine of a unit are resampled, then scaled by 2.5 of their standard deviations.";
    setText(grey, `Mid-grey is zero. ${scaled}`);
    grey.setAttribute("aria-label", `${grey.textContent} ${NEGATIVE}`);
    setText(status, words);
  };
  return { element, update };
}
