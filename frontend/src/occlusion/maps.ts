import type { Quantity } from "../kernel/wire.ts";
import { type ColourMap, drawClasses, drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber, formatPercent } from "../ui/format.ts";
import { describeQuantity, formatScore, formatShortValue, isValue } from "../ui/quantity.ts";
import { ComparedMaps } from "./compared_maps.ts";
import type { Point } from "./geometry.ts";
import { Heatmap } from "./heatmap.ts";
import { cellAt, className, colourRange, type LegendEntry, legendOf, type MapGrid, sharedRange } from "./map_grid.ts";
import type { Scene } from "./store.ts";
import type { MapName } from "./wire.ts";

const LEGEND_ROWS = 9;
const VALUE_MAPS = ["probability", "value", "activity"] as const;
const COLOURS: Record<MapName, ColourMap | null> = { probability: "viridis", value: "diverging", activity: "viridis", label: null };

interface MapsOptions {
  /** The canvas of the overlay on the image. */
  overlay: HTMLCanvasElement;
  hover: (point: Point | null) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
  pick: (label: number, name: string) => void;
}

/** The maps of figure 7 of the paper: activity (b), probability or value of the target (d), most probable class (e) with its legend. */
export class Maps {
  readonly element: HTMLElement;
  /** Shown in place of these while two classes are compared. */
  readonly compared: ComparedMaps;
  private readonly heatmaps: Record<MapName, Heatmap>;
  private readonly legend = h("ul", { class: "dwo-legend", "data-testid": "legend" });
  private readonly legendTitle = h("p", { class: "dwo-legend-title" });
  private readonly more = h("p", { class: "dwo-dim" });
  private readonly classReading = h("p", { class: "dwo-class-reading", "data-testid": "reading-label" });
  private readonly classes: HTMLElement;
  /** The maps that those of the target share their colour scale with. */
  unchanged: MapGrid | null = null;
  private grid: MapGrid | null = null;
  private overlaid: MapName | null = null;
  private hoveredPoint: Point | null = null;

  constructor(private readonly options: MapsOptions) {
    const { hover, placePatch } = options;
    this.compared = new ComparedMaps({ hover, placePatch });
    const create = (name: MapName) => new Heatmap({ name, colours: COLOURS[name], hover, placePatch });
    this.heatmaps = { probability: create("probability"), value: create("value"), activity: create("activity"), label: create("label") };
    const { probability, value, activity, label } = this.heatmaps;
    const legendColumn = h("div", { class: "dwo-legend-column" }, this.legendTitle, this.legend, this.more, this.classReading);
    this.classes = h("div", { class: "dwo-class-map" }, label.element, legendColumn);
    const parts = [probability.element, value.element, activity.element, this.classes];
    this.element = h("div", { class: "dwo-maps", "data-testid": "maps" }, ...parts);
  }

  close(): void {
    for (const map of [...Object.values(this.heatmaps), this.compared]) map.close();
  }

  /**
   * Show a scene.
   * @param target the name of the target class or output; null if the model predicts nothing
   */
  show(scene: Scene, target: string | null, quantity: Quantity | null): void {
    const { image, request } = scene;
    this.compared.show(scene);
    const { probability, value, activity, label } = this.heatmaps;
    this.element.dataset.classes = String(target !== null);
    probability.element.hidden = this.classes.hidden = target === null || isValue(quantity);
    value.element.hidden = target === null || !isValue(quantity);
    for (const heatmap of Object.values(this.heatmaps)) heatmap.show(image);
    for (const { title } of [probability, value]) setText(title, describeQuantity(quantity, target ?? ""));
    setText(activity.title, `Activity of ${request.layer} / ${request.unit}`);
    setText(label.title, "Most probable class");
  }

  /** Draw the computed cells. */
  draw(grid: MapGrid, overlaid: MapName): void {
    this.grid = grid;
    for (const name of VALUE_MAPS) {
      const values = grid[name];
      if (!values) continue;
      const range = name === "activity" ? colourRange(grid, name) : sharedRange(grid, this.unchanged, name);
      const format = name === "probability" ? formatPercent : name === "value" ? formatShortValue : formatNumber;
      const unoccluded = grid.unoccluded[name] ?? Number.NaN;
      this.heatmaps[name].align(grid);
      this.heatmaps[name].scale(format(range[0]), format(range[1]), scalePosition(unoccluded, range, name));
      drawValues(this.heatmaps[name].canvas, values, grid.rows, grid.cols, range, grid.nearest, COLOURS[name] ?? "viridis");
    }
    this.drawClasses(grid);
    this.compared.draw(grid, this.unchanged);
    this.overlay(overlaid, true);
    this.read(this.hoveredPoint);
  }

  /** Draw a map on the overlay. */
  overlay(name: MapName, redraw = false): void {
    const { grid, options } = this;
    if (!grid || (this.overlaid === name && !redraw)) return;
    this.overlaid = name;
    if (name === "label" && grid.label) drawClasses(options.overlay, grid);
    else {
      const shown = name !== "label" && grid[name] ? name : "activity";
      const values = grid[shown] ?? grid.activity;
      drawValues(options.overlay, values, grid.rows, grid.cols, colourRange(grid, shown), grid.nearest, COLOURS[shown] ?? "viridis");
    }
  }

  /** Show the values of all maps for the window nearest to a point. Return its cell. */
  read(point: Point | null): number | null {
    const { grid, heatmaps } = this;
    this.hoveredPoint = point;
    const cell = grid && point ? cellAt(grid, point) : null;
    const texts = !grid
      ? { probability: "", value: "", activity: "", label: "" }
      : cell === null
        ? describeUnoccluded(grid)
        : describeCell(grid, cell);
    for (const name of ["probability", "value", "activity", "label"] as const) {
      heatmaps[name].read(cell === null ? null : grid, cell ?? 0, texts[name]);
    }
    setText(this.classReading, texts.label);
    this.compared.read(cell);
    return cell;
  }

  mark(patches: Point[]): void {
    for (const map of [...Object.values(this.heatmaps), this.compared]) map.mark(patches);
  }

  /** Dim the maps if they are outdated. */
  setStale(stale: boolean): void {
    this.element.dataset.stale = String(stale);
    this.compared.setStale(stale);
  }

  private drawClasses(grid: MapGrid): void {
    if (!grid.label) return;
    const entries = legendOf(grid);
    this.heatmaps.label.align(grid);
    drawClasses(this.heatmaps.label.canvas, grid);
    const shown = entries.slice(0, LEGEND_ROWS);
    const key = JSON.stringify(shown.map(({ label, share }) => [label, formatPercent(share)]));
    if (this.legend.dataset.key === key) return;
    this.legend.dataset.key = key;
    setText(this.legendTitle, "Share of positions");
    this.legend.replaceChildren(...shown.map((entry) => this.createLegendEntry(entry, grid.colours[entry.label] ?? "")));
    setText(this.more, entries.length > LEGEND_ROWS ? `and ${entries.length - LEGEND_ROWS} more` : "");
  }

  private createLegendEntry({ label, name, share }: LegendEntry, colour: string): HTMLElement {
    const swatch = h("i", {});
    swatch.style.background = colour;
    const highlight = (highlighted: number | null) => () => {
      if (this.grid) drawClasses(this.heatmaps.label.canvas, this.grid, highlighted);
    };
    const listeners = {
      onpointerenter: highlight(label),
      onpointerleave: highlight(null),
      onfocus: highlight(label),
      onblur: highlight(null),
      onclick: () => this.options.pick(label, name),
    };
    const title = `${name} at ${formatPercent(share)} of the positions; click to make it the target`;
    const properties = { type: "button", "data-testid": "legend-entry", "data-label": label, title };
    const parts = [swatch, h("span", {}, name), h("span", { class: "dwo-dim" }, formatPercent(share))];
    return h("li", {}, h("button", { ...properties, ...listeners }, ...parts));
  }
}

/** Return the position of a value on a colour scale, from 0 to 1. */
function scalePosition(value: number, [low, high]: [number, number], name: MapName): number {
  return high > low ? (value - low) / (high - low) : name === "value" ? 0.5 : 0;
}

/** Return the texts that are shown while no cell is hovered: the values without a patch. */
function describeUnoccluded({ unoccluded, names, quantity }: MapGrid): Record<MapName, string> {
  const { probability, value, activity, label, label_probability: confidence } = unoccluded;
  const named = label === null ? "" : `without a patch: ${className(names, label)}, probability ${formatPercent(confidence)}`;
  return {
    probability: `no patch: ${formatPercent(probability)}`,
    value: `no patch: ${formatScore(quantity, value)}`,
    activity: `no patch: ${formatNumber(activity)}`,
    label: named,
  };
}

export function describeCell(grid: MapGrid, cell: number): Record<MapName, string> {
  const activity = grid.activity[cell] ?? Number.NaN;
  const missing = "not computed";
  if (Number.isNaN(activity)) return { probability: missing, value: missing, activity: missing, label: "not computed yet" };
  const label = grid.label?.[cell] ?? -1;
  const confidence = formatPercent(grid.labelProbability?.[cell]);
  return {
    probability: grid.probability ? `here: ${formatPercent(grid.probability[cell])}` : "",
    value: grid.value ? `here: ${formatScore(grid.quantity, grid.value[cell])}` : "",
    activity: `here: ${formatNumber(activity)}`,
    label: label >= 0 ? `here: ${className(grid.names, label)}, probability ${confidence}` : "",
  };
}
