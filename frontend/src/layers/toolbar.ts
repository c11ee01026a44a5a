import { choice, h, setText } from "./dom.js";
import { SORTS, suggestions } from "./units.js";

const SCALING = "Scale each tile by 2.5 of its own standard deviations, or the nine of a unit by those of all nine together";
const NEGATIVE =
  "A projection has negative values. Rectifiers keep each layer's signal positive, but filters have negative weights: where a pixel is darker than grey, less light there, in that colour, would excite the unit more.";
const KEYS = /** @type {[string[], string][]} */ ([
  [["←", "↑", "↓", "→"], "move"],
  [["Enter"], "open"],
  [["/"], "search"],
  [["p"], "pin"],
  [["Esc"], "leave"],
]);

/**
 * Above the grid: one box that jumps to a unit or filters by class, sort, contrast, and how many units are shown.
 * @param {{id: string, find: (text: string) => void, typed: (text: string) => void, set: (patch: any) => void}} options
 */
export function createToolbar({ id, find, typed, set }) {
  const list = h("datalist", { id: `${id}-classes` });
  const hint = { placeholder: "unit or class…", title: "A number jumps to that unit; words keep the units with such a class among their nine" };
  const search = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", class: "dwx-search", list: list.id, "aria-label": "Unit number or class", "data-testid": "search", ...hint })
  );
  search.addEventListener("input", () => typed(search.value));
  search.addEventListener("change", () => find(search.value));
  const sort = choice({ label: "sort", testid: "sort", choices: SORTS, pick: (name) => set({ sort: name }) });
  const scales = /** @type {[string, string][]} */ ([["tile", "per tile"], ["shared", "shared"]]);
  const contrast = choice({ label: "contrast", testid: "contrast", choices: scales, pick: (name) => set({ contrast: name }), hint: SCALING });
  const count = h("span", { class: "dwx-count", "data-testid": "count" });
  const element = h("div", { class: "dwx-toolbar" }, search, list, sort.element, contrast.element, count);
  /** @type {any} */
  let suggested = null;

  /** @param {{state: any, table: any, shown: number}} what */
  const update = ({ state, table, shown }) => {
    sort.select.value = state.sort;
    contrast.select.value = state.contrast;
    const { activeElement } = /** @type {Document | ShadowRoot} */ (search.getRootNode());
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

  /** @param {string} contrast @param {string} words @param {number} count of layers */
  const update = (contrast, words, count) => {
    layers.hidden = count < 2;
    setText(last, String(Math.min(9, count)));
    const scaled = contrast === "tile" ? "Each tile is resampled, then scaled by 2.5 of its standard deviations." : "The nine of a unit are resampled, then scaled by 2.5 of their standard deviations.";
    setText(grey, `Mid-grey is zero. ${scaled}`);
    grey.setAttribute("aria-label", `${grey.textContent} ${NEGATIVE}`);
    setText(status, words);
  };
  return { element, update };
}
