/** The toolbar above the pairs: search, order, how units are paired, size; and the statuses of the pairs that are shown. */
import type { TileSize } from "../layers/wire.ts";
import { createSelect, focusedElement, h, setText } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { countStatuses, PAIRINGS, type Pairs, SORTS } from "./pairs.ts";
import type { PairHello, PairState } from "./wire.ts";

const SIZES: Choice<TileSize>[] = [
  ["small", "S", "Small tiles: more pairs in sight"],
  ["medium", "M", "Medium tiles"],
  ["large", "L", "Large tiles"],
];
const PAIRING_HINT =
  "Beside each unit of A: the unit of B that it is matched with by the correlation of their activations, or the one of its number";
const SEARCH_HINT = "A number selects that unit of A; “b 61” selects a unit of B";

export function createPairToolbar({ set, find }: { set: (patch: Partial<PairState>) => void; find: (text: string) => void }) {
  const search = h("input", {
    type: "search",
    class: "dwx-search",
    placeholder: "unit…",
    title: SEARCH_HINT,
    "aria-label": "Unit number",
    "data-testid": "search",
  });
  search.addEventListener("change", () => find(search.value));
  const sort = createSelect({ label: "Sort", testid: "sort", choices: SORTS, pick: (name) => set({ sort: name }) });
  const pairing = createSelect({
    label: "Pair by",
    testid: "paired-by",
    choices: PAIRINGS,
    pick: (paired_by) => set({ paired_by, unit_b: null }),
    hint: PAIRING_HINT,
  });
  const size = createRadioGroup({
    label: "Tile size",
    prefix: "size",
    testid: "tile-size",
    choices: SIZES,
    pick: (tile_size) => set({ tile_size }),
  });
  const count = h("span", { class: "dwx-count", "data-testid": "count" });
  const bar = h("div", { class: "dwx-toolbar" }, search, sort.element, pairing.element, size.element, count);
  const chips = h("div", { class: "dwc-chips", role: "group", "aria-label": "Show the pairs that are", "data-testid": "statuses" });
  const element = h("div", {}, bar, chips);
  let drawn = "";

  const showChips = (state: PairState, pairs: Pairs, hello: PairHello) => {
    const counts = countStatuses(pairs);
    const shown = hello.statuses.filter(([name]) => counts.has(name) || state.status.includes(name));
    const key = JSON.stringify([shown, [...counts], state.status]);
    if (key === drawn) return;
    drawn = key;
    const focused = (focusedElement(chips) as HTMLElement | null)?.dataset.name;
    const chip = ([name, meaning]: [string, string]) => {
      const isOn = state.status.includes(name);
      const onclick = () => set({ status: isOn ? state.status.filter((other) => other !== name) : [...state.status, name] });
      const properties = { type: "button", class: "dwc-chip", "aria-pressed": String(isOn), title: meaning, "data-name": name };
      const mark = h("span", { class: "dwc-status", "data-status": name }, h("i", {}), name);
      return h("button", { ...properties, "data-testid": `status-${name}`, onclick }, mark, h("span", {}, String(counts.get(name) ?? 0)));
    };
    const all = h(
      "button",
      { type: "button", class: "dwc-chip", "data-testid": "status-all", onclick: () => set({ status: [] }) },
      "Show all",
    );
    chips.replaceChildren(...shown.map(chip), ...(state.status.length ? [all] : []));
    if (focused) chips.querySelector<HTMLElement>(`[data-name="${focused}"]`)?.focus();
  };

  /** @param shown the number of shown pairs */
  const update = (state: PairState, pairs: Pairs | undefined, shown: number, hello: PairHello) => {
    sort.select.value = state.sort;
    pairing.select.value = state.paired_by;
    size.show(state.tile_size);
    const total = pairs?.status.length ?? 0;
    count.dataset.filtered = String(pairs !== undefined && shown !== total);
    setText(count, pairs ? (shown === total ? `${total} pairs` : `${shown} of ${total} pairs`) : "");
    if (pairs) showChips(state, pairs, hello);
  };
  /** Pair by number, or by match again. The unit of A stays selected. */
  const toggleNumber = ({ paired_by }: PairState) => set({ paired_by: paired_by === "match" ? "number" : "match", unit_b: null });
  return { element, search, update, toggleNumber };
}
