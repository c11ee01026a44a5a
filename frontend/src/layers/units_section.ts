/** The middle of the explorer: the units of a layer as a grid or as a map, and what sorts and filters them. */
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { Arrangement } from "./arrangement.ts";
import { createContributionSort } from "./contribution_sort.ts";
import { createIndexProgress } from "./index_progress.ts";
import { PinnedUnits } from "./pinned_units.ts";
import { withoutPin } from "./pins.ts";
import type { LayerStore } from "./store.ts";
import { createSuggestions } from "./suggestions.ts";
import { createToolbar } from "./toolbar.ts";
import { UnitFilter } from "./unit_filter.ts";
import { UnitGrid } from "./unit_grid.ts";
import { createUnitLegend } from "./unit_legend.ts";
import { UnitMap } from "./unit_map.ts";
import { UnitSearch } from "./unit_search.ts";
import type { UnitSelection } from "./unit_selection.ts";
import { isColumnSort, type Table } from "./unit_table.ts";
import { createWhereBox } from "./where_box.ts";
import type { Display, Layer, LayerState, Overview } from "./wire.ts";

const DISPLAYS: Choice<Display>[] = [
  ["grid", "Grid", "The units as tiles"],
  ["map", "Map", "The units as points: near if their activations correlate"],
];

interface SectionOptions {
  id: string;
  store: LayerStore;
  selection: UnitSelection;
  state: () => LayerState;
  layer: () => Layer | undefined;
  set: (patch: Partial<LayerState>) => void;
  openDetail: () => void;
  /** Called with a unit that is likely to be selected next. */
  prefetch: (unit: number, list: "detail" | "hovered") => void;
  /** Called with the first unit of the top row after scrolling. */
  scrolled: (unit: number) => void;
  showStatus: (text: string) => void;
}

export interface SectionContent {
  state: LayerState;
  overview: Overview;
  layer: Layer | undefined;
  table: Table | undefined;
}

export class UnitsSection {
  readonly element: HTMLElement;
  readonly arrangement = new Arrangement();
  readonly search: UnitSearch;
  readonly suggestions: ReturnType<typeof createSuggestions>;
  readonly grid: UnitGrid;
  private readonly contributionSort: ReturnType<typeof createContributionSort>;
  private readonly toolbar: ReturnType<typeof createToolbar>;
  private readonly displays: ReturnType<typeof createRadioGroup<Display>>;
  private readonly where: ReturnType<typeof createWhereBox>;
  private readonly filter: UnitFilter;
  private readonly selected: HTMLButtonElement;
  private readonly map: UnitMap;
  private readonly pins: PinnedUnits;
  private readonly legend = createUnitLegend();
  private readonly progress: ReturnType<typeof createIndexProgress>;
  private contributions: Float32Array | null = null;

  constructor(private readonly options: SectionOptions) {
    const { id, store, set, selection, state } = options;
    const pick = (unit: number) => selection.select({ unit });
    this.contributionSort = createContributionSort({ id, store: store.contributions, set });
    this.toolbar = createToolbar({
      id,
      contributionSort: this.contributionSort.element,
      set,
      submit: (text) => this.search.submit(text),
      filterBy: (text) => this.search.filterBy(text),
    });
    this.search = new UnitSearch({
      input: this.toolbar.search,
      shown: () => ({ layer: state().layer, units: options.layer()?.channels ?? 0, filter: state().filter }),
      isHidden: (unit) => !this.arrangement.units.includes(unit),
      setFilter: (filter) => set({ filter }),
      select: (unit, removeFilter) => selection.select({ unit, ...(removeFilter ? { filter: "", where: "", selected_units: null } : {}) }),
      showStatus: options.showStatus,
    });
    this.suggestions = createSuggestions({
      select: (layer, unit) => set({ layer, unit, rank: 0 }),
      setBookmarks: (bookmarks) => set({ bookmarks }),
    });
    this.displays = createRadioGroup({
      label: "Units as",
      prefix: "display",
      testid: "display",
      choices: DISPLAYS,
      pick: (display) => set({ display }),
    });
    this.where = createWhereBox({ id, set: (where) => where !== state().where && set({ where }) });
    this.filter = new UnitFilter(store);
    const clear = () => set({ selected_units: null });
    this.selected = h("button", {
      type: "button",
      class: "dwl-clear",
      title: "Show all units again",
      "data-testid": "clear-selected",
      onclick: clear,
    });
    this.progress = createIndexProgress({ steer: (kind) => void store.steerIndex(kind) });
    const { openDetail, prefetch, scrolled } = options;
    this.grid = new UnitGrid({ id, store, pick, open: openDetail, prefetch, scrolled });
    this.map = new UnitMap({ store, set, pick });
    this.pins = new PinnedUnits({
      store,
      open: ({ layer, unit }) => selection.select({ layer, unit }),
      unpin: (pin) => set({ pinned: withoutPin(state().pinned, pin) }),
    });
    const row = h("div", { class: "dwl-filters" }, this.displays.element, this.where.element, this.selected, this.toolbar.count);
    const above = [this.toolbar.element, row, this.legend.element, this.suggestions.element, this.progress.element];
    const parts = [...above, this.grid.element, this.map.element, this.pins.element];
    this.element = h("section", { class: "dwx-middle", "aria-label": "Units" }, ...parts);
  }

  close(): void {
    this.grid.close();
    this.map.close();
    this.pins.close();
    this.where.close();
  }

  /** Move the focus to the grid, or to the switch between grid and map. */
  focus(): void {
    if (this.options.state().display === "grid") this.grid.element.focus({ preventScroll: true });
    else this.displays.element.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }

  /** Draw the mosaics of a unit that were decoded. */
  paint(unit: number): void {
    this.grid.paint(unit);
    this.map.paint(unit);
  }

  /** Show how far the index is. */
  drawProgress({ state, overview, table }: SectionContent, isIndexed: boolean): void {
    const { store } = this.options;
    const { hello, cancelledLayers } = store;
    // A page that was opened meanwhile has seen no event yet.
    const progress = store.progress ?? hello?.index.progress ?? null;
    const progressLayers = store.progressLayers.length ? store.progressLayers : (hello?.index.building ?? []);
    this.progress.element.hidden = isIndexed && (!table || table.crops === null);
    this.progress.update({ progress, progressLayers, cancelledLayers, layer: state.layer, crops: table?.crops ?? null, overview });
  }

  /** Sort and filter the units. */
  arrange(state: LayerState, table: Table | undefined): void {
    const { queries } = this.options.store;
    this.contributions = this.contributionSort.update(state)?.values ?? null;
    if (!table) return;
    const complete = table.crops === null;
    const columns = complete && isColumnSort(state.sort) ? (queries.columns(state.layer).value ?? null) : null;
    const only = complete ? this.filter.update(state) : null;
    this.arrangement.update(table, state, { contributions: this.contributions, columns }, only);
  }

  draw({ state, table, layer, overview }: SectionContent): void {
    const { units } = this.arrangement;
    const { queries } = this.options.store;
    // Read when the index is complete: they mark the near-copies.
    const columns = table?.crops === null ? queries.columns(state.layer) : null;
    this.toolbar.update(state, table, units.length);
    this.displays.show(state.display);
    this.where.update({
      where: state.where,
      columns: columns?.value,
      reason: state.where ? this.filter.error : "",
      ready: columns !== null,
    });
    this.selected.hidden = !state.selected_units;
    setText(this.selected, state.selected_units ? `${formatCount(state.selected_units.length, "unit")} from the map ×` : "");
    this.legend.update(state, table, layer?.changed ?? false);
    this.legend.element.hidden = state.display === "map";
    this.suggestions.update(state, table);
    this.grid.element.hidden = state.display === "map";
    this.map.update({ state, table, layout: this.grid.layout, version: overview.version });
  }

  /** Draw what needs mosaics that are less urgent than those of the selected unit. */
  drawTiles({ state, table, overview }: SectionContent): void {
    const { units, labels } = this.arrangement;
    const columns = table?.crops === null ? this.options.store.queries.loadedColumns(state.layer) : undefined;
    if (table) this.grid.update({ state, table, units, labels, contributions: this.contributions, columns });
    this.pins.update({ state, overview, layout: this.grid.layout });
  }
}
