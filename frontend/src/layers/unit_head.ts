/** The head of the selected unit's pane: its number, its statistics, and what it is like. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { isPinned } from "./pins.ts";
import type { LayerStore } from "./store.ts";
import { describeUnit } from "./unit_facts.ts";
import { formatCorrelation, nearestUnit } from "./unit_queries.ts";
import { type Table, unitStatistics } from "./unit_table.ts";
import type { LayerState, Overview } from "./wire.ts";

interface HeadOptions {
  store: LayerStore;
  enlarge: () => void;
  togglePin: () => void;
  /** Called with a unit that the selected one is like. */
  open: (unit: number) => void;
  /** The button that bookmarks the unit. */
  bookmark: HTMLElement;
  /** Called by the button that closes the pane, which narrow layouts have. */
  close: () => void;
}

interface HeadContent {
  state: LayerState;
  table: Table | undefined;
  overview: Overview;
}

const PEAKS_HINT = "The histogram of the unit's activations has so many peaks: it may respond to different things";

export function createUnitHead({ store, enlarge, togglePin, open, bookmark, close }: HeadOptions) {
  const title = h("h3", { "data-testid": "detail-title" });
  const statistics = h("span", { "data-testid": "detail-numbers" });
  const button = (text: string, hint: string, testid: string, onclick: () => void) =>
    h("button", { type: "button", class: "dwx-pin", "data-testid": testid, title: hint, onclick }, text);
  const enlargeButton = button("Enlarge", "Enlarge the selected activation (click it again, or press Enter on it)", "enlarge", enlarge);
  const pin = button("Pin", "Pin this unit to compare it with others (p)", "pin", togglePin);
  const properties = { type: "button", class: "dwx-detail-close", "data-testid": "detail-close", onclick: close };
  const copy = h("button", { type: "button", class: "dwl-badge", "data-testid": "near-copy" });
  copy.addEventListener("click", () => open(Number(copy.dataset.unit)));
  const peaks = h("span", { class: "dwl-badge", title: PEAKS_HINT, "data-testid": "peaks" });
  const numbers = h("div", { class: "dwx-numbers" }, statistics, " ", copy, " ", peaks);
  const element = h("div", { class: "dwx-detail-head" }, title, enlargeButton, pin, bookmark, h("button", properties, "× Close"));

  const updateBadges = ({ layer, unit }: LayerState) => {
    const columns = store.queries.loadedColumns(layer);
    const like = unit === null ? null : nearestUnit(columns, unit);
    const count = unit === null ? 0 : (columns?.peaks[unit] ?? 0);
    copy.hidden = !like;
    if (like) {
      copy.dataset.unit = String(like.unit);
      setText(copy, `like unit ${like.unit}, r = ${formatCorrelation(like.correlation)}`);
      copy.title = `Their activations are almost proportional in ${formatCount(columns?.samples ?? 0, "image")}. Click to go to unit ${like.unit}.`;
    }
    peaks.hidden = !(count > 1);
    setText(peaks, `${count} peaks`);
  };

  const update = ({ state, table, overview }: HeadContent) => {
    const { unit } = state;
    setText(title, `Unit ${unit}`);
    const images = formatCount(overview.crops, overview.crops > overview.photographs ? "crop" : "photograph");
    const description = table && unit !== null ? describeUnit(unitStatistics(table, unit), images) : "";
    setText(statistics, description);
    statistics.title = description;
    const pinned = unit !== null && isPinned(state, { ...state, unit }, overview.model);
    setText(pin, pinned ? "Unpin" : "Pin");
    pin.setAttribute("aria-pressed", String(pinned));
    updateBadges(state);
  };
  return { element, numbers, enlargeButton, update };
}
