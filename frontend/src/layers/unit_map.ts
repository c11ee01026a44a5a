/** The map of the units of a layer: points that are near if the activations of the units correlate. A selection filters the grid. */
import { Chart } from "../ui/chart.ts";
import { context2d, createSelect, h, setText } from "../ui/dom.ts";
import type { GridLayout } from "./grid_layout.ts";
import { type LayerStore, PARTS } from "./store.ts";
import { shortStatistics } from "./unit_facts.ts";
import { type Table, unitStatistics } from "./unit_table.ts";
import type { LayerState, MapColour, MapMethod, MosaicRequest } from "./wire.ts";

const METHODS: [MapMethod, string][] = [
  ["auto", "automatic"],
  ["pca", "PCA"],
  ["tsne", "t-SNE"],
  ["umap", "UMAP"],
];
const COLOURS: [MapColour, string][] = [
  ["selectivity", "selectivity"],
  ["purity", "class purity"],
  ["maximum", "maximum"],
];
const HINT = "Drag around points to show these units in the grid; click a point to select its unit.";
const CONFIG = {
  displayModeBar: true,
  displaylogo: false,
  scrollZoom: true,
  modeBarButtons: [["lasso2d", "select2d", "zoom2d", "pan2d", "resetScale2d"]],
};
const WAITING = "The map is drawn when the index is complete.";

/** What Plotly passes to its listeners. */
interface PointsEvent {
  points?: { customdata?: number }[];
}
type GraphElement = HTMLElement & { on?: (name: string, listener: (event?: PointsEvent) => void) => void };

interface MapOptions {
  store: LayerStore;
  set: (patch: Partial<LayerState>) => void;
  pick: (unit: number) => void;
}

export interface MapContent {
  state: LayerState;
  table: Table | undefined;
  layout: GridLayout;
  version: number;
}

export class UnitMap {
  readonly element: HTMLElement;
  private readonly method = createSelect({
    label: "Method",
    testid: "map-method",
    choices: METHODS,
    pick: (map_method) => this.options.set({ map_method }),
  });
  private readonly colour = createSelect({
    label: "Colour",
    testid: "map-colour",
    choices: COLOURS,
    pick: (map_colour) => this.options.set({ map_colour }),
  });
  private readonly toGrid: HTMLButtonElement;
  private readonly card = h("div", { class: "dwl-map-card", hidden: true, "data-testid": "map-card" });
  private readonly cardText = h("div", { class: "dwl-map-card-text" });
  private readonly canvases = PARTS.map(() => h("canvas", {}));
  private readonly area: HTMLElement;
  private chart: Chart | null = null;
  private graph: GraphElement | null = null;
  private content: MapContent | null = null;
  private hovered: number | null = null;

  constructor(private readonly options: MapOptions) {
    const show = () => options.set({ display: "grid" });
    this.toGrid = h("button", { type: "button", class: "dwl-clear", "data-testid": "map-to-grid", onclick: show }, "Show in the grid");
    const row = h("div", { class: "dwl-map-row" }, this.method.element, this.colour.element, this.toGrid);
    this.card.append(h("div", { class: "dwl-map-card-pictures" }, ...this.canvases), this.cardText);
    this.area = h("div", { class: "dwl-map-area" }, this.card);
    const hint = h("p", { class: "dwl-map-hint" }, HINT);
    this.element = h(
      "div",
      { class: "dwl-map", hidden: true, role: "group", "aria-label": "Map of the units", "data-testid": "map" },
      row,
      this.area,
      hint,
    );
  }

  close(): void {
    this.chart?.close();
    this.options.store.client.release(this);
  }

  /** Draw the map if it is the view that is shown. */
  update(content: MapContent): void {
    const { state, table, version } = content;
    this.content = content;
    this.element.hidden = state.display !== "map";
    if (this.element.hidden) return;
    this.method.select.value = state.map_method;
    this.colour.select.value = state.map_colour;
    const { layer, map_method: method, map_colour: colour, selected_units: selected } = state;
    this.toGrid.hidden = !selected;
    this.chart ??= this.createChart();
    if (!table || table.crops !== null) this.chart.clear(WAITING);
    else this.chart.show({ layer, method, colour, selected }, `${version}`);
    this.drawCard();
  }

  /** Called after mosaics of a unit were decoded. */
  paint(unit: number): void {
    if (unit === this.hovered) this.drawCard();
  }

  private createChart(): Chart {
    const { client, plotly } = this.options.store;
    const chart = new Chart({ client, plotly, config: CONFIG, drawn: (container) => this.listen(container) });
    this.area.prepend(chart.element);
    return chart;
  }

  private listen(container: GraphElement): void {
    if (this.graph === container || !container.on) return;
    this.graph = container;
    const units = (event?: PointsEvent) => (event?.points ?? []).flatMap(({ customdata }) => customdata ?? []);
    container.on("plotly_selected", (event) => {
      const selected = units(event).sort((a, b) => a - b);
      if (event) this.options.set({ selected_units: selected.length ? selected : null });
    });
    container.on("plotly_deselect", () => this.options.set({ selected_units: null }));
    container.on("plotly_click", (event) => {
      const [unit] = units(event);
      if (unit !== undefined) this.options.pick(unit);
    });
    container.on("plotly_hover", (event) => this.hover(units(event)[0] ?? null));
    container.on("plotly_unhover", () => this.hover(null));
  }

  private hover(unit: number | null): void {
    this.hovered = unit;
    const request = this.request();
    if (request) this.options.store.requestMosaics(this, "hovered", [request], PARTS);
    this.drawCard();
  }

  private request(): MosaicRequest | null {
    const { content, hovered: unit } = this;
    if (!content || unit === null) return null;
    const { layer, rule, contrast } = content.state;
    return { layer, unit, rule, contrast, tile: content.layout.tile };
  }

  /** Draw the pictures and the numbers of the hovered unit. */
  private drawCard(): void {
    const request = this.request();
    this.card.hidden = !request;
    if (!request || !this.content?.table) return;
    setText(this.cardText, `Unit ${request.unit}\n${shortStatistics(unitStatistics(this.content.table, request.unit))}`);
    PARTS.forEach((part, index) => {
      const canvas = this.canvases[index];
      const bitmap = this.options.store.mosaic(request, part);
      if (!canvas) return;
      canvas.hidden = !bitmap;
      if (!bitmap) return;
      Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      context2d(canvas).drawImage(bitmap, 0, 0);
    });
  }
}
