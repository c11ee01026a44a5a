/** Units to start with and bookmarked units, as buttons above the grid. */
import { h, setText } from "../ui/dom.ts";
import { classCounts, type Table } from "./unit_table.ts";
import type { Bookmark, LayerState } from "./wire.ts";

const BOOKMARK_HINT = "Keep this unit in the list of bookmarks (b)";
const START_HINT = "Suggested units, chosen by class purity and selectivity on Caltech-101";
const MAX_BOOKMARKS = 100;

/** Return the bookmarks with a unit added, or removed if it is there. */
export function toggleBookmark(bookmarks: readonly Bookmark[], [layer, unit]: Bookmark): Bookmark[] {
  const others = bookmarks.filter(([otherLayer, otherUnit]) => otherLayer !== layer || otherUnit !== unit);
  return others.length < bookmarks.length ? others : [...others, [layer, unit]];
}

/** Return the most frequent class of a unit's strongest activations in these images, such as "sunflower 6/9"; empty if none occurs twice. */
function describeClass(table: Table | undefined, unit: number): string {
  const [frequent] = table ? classCounts(table, unit) : [];
  return table && frequent && frequent.count > 1 ? `${frequent.name} ${frequent.count}/${table.k}` : "";
}

/**
 * Create the row of units to start with and of bookmarks, and the button that bookmarks the selected unit.
 * @param select called with the unit of a button
 * @param setBookmarks called with the changed bookmarks
 */
export function createSuggestions({
  select,
  setBookmarks,
}: {
  select: (layer: string, unit: number) => void;
  setBookmarks: (bookmarks: Bookmark[]) => void;
}) {
  const star = h("button", {
    type: "button",
    class: "dwx-pin",
    title: BOOKMARK_HINT,
    "data-testid": "bookmark",
    onclick: () => toggle(),
  });
  const list = h("div", { class: "dwl-suggested" });
  const element = h("div", { class: "dwl-suggestions", "data-testid": "suggestions", hidden: true }, list);
  let state: LayerState | null = null;
  let drawn = "";
  let drawnTable: Table | undefined;

  function toggle(): void {
    if (!state || state.unit === null) return;
    const changed = toggleBookmark(state.bookmarks, [state.layer, state.unit]);
    if (changed.length <= MAX_BOOKMARKS) setBookmarks(changed);
  }

  const createChip = (layer: string, unit: number, text: string, frequent = "", hint = "") =>
    h(
      "button",
      { type: "button", class: "dwl-chip", title: hint, "data-testid": `go-${layer}-${unit}`, onclick: () => select(layer, unit) },
      h("b", {}, text),
      frequent ? ` ${frequent}` : null,
    );

  function update(next: LayerState, table: Table | undefined): void {
    state = next;
    const { layer, unit, bookmarks } = next;
    const marked = bookmarks.some(([otherLayer, otherUnit]) => otherLayer === layer && otherUnit === unit);
    setText(star, marked ? "★ Bookmarked" : "☆ Bookmark");
    star.setAttribute("aria-pressed", String(marked));
    const start = table?.start ?? [];
    const key = JSON.stringify([layer, start, bookmarks]);
    if (key === drawn && table === drawnTable) return;
    drawn = key;
    drawnTable = table;
    const chips = start.map((entry) =>
      createChip(layer, entry.unit, String(entry.unit), describeClass(table, entry.unit), `Caltech-101: ${entry.reason}`),
    );
    const kept = bookmarks.map(([otherLayer, otherUnit]) => createChip(otherLayer, otherUnit, `${otherLayer} · ${otherUnit}`));
    const name = (text: string, title?: string) => h("span", { class: "dwl-suggestion-name", title }, text);
    element.hidden = !chips.length && !kept.length;
    const group = (...parts: HTMLElement[]) => h("div", { class: "dwl-suggested-group" }, ...parts);
    list.replaceChildren(
      ...(chips.length ? [group(name("Start with unit", START_HINT), ...chips)] : []),
      ...(kept.length ? [group(name("Bookmarks"), ...kept)] : []),
    );
  }
  return { element, star, update, toggle };
}
