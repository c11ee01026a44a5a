import type { Quantity } from "../kernel/wire.ts";
import { type ColourMap, drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { formatShortValue, isValue } from "../ui/quantity.ts";
import type { Point } from "./geometry.ts";
import { Heatmap } from "./heatmap.ts";
import { className, type MapGrid, sharedRange, valuesOf, withoutPatch } from "./map_grid.ts";
import type { Scene } from "./store.ts";
import type { ValueMap } from "./wire.ts";

const MAPS = ["target", "against", "difference"] as const;
type Compared = (typeof MAPS)[number];

interface ComparedMapsOptions {
  /** Of the test ids. */
  prefix?: string;
  heading?: string;
  hover: (point: Point | null) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
}

/** The maps of the target, of the class that it is compared with, and of their difference, of one run. */
export class ComparedMaps {
  readonly element: HTMLElement;
  private readonly heatmaps: Record<Compared, Heatmap>;
  private readonly count = h("p", { class: "dwo-dim", "data-testid": "compared-count" });
  private grid: MapGrid | null = null;

  constructor({ prefix = "compared", heading = "By position of the patch", ...options }: ComparedMapsOptions) {
    const create = (name: Compared, colours: ColourMap) => new Heatmap({ ...options, name: `${prefix}-${name}`, colours });
    this.heatmaps = {
      target: create("target", "viridis"),
      against: create("against", "viridis"),
      difference: create("difference", "compared"),
    };
    const row = h("div", { class: "dwo-compared" }, ...MAPS.map((name) => this.heatmaps[name].element));
    const caption = h("div", { class: "dwo-part-caption" }, h("h3", {}, heading), this.count);
    this.element = h(
      "section",
      { class: "dwo-part", "aria-label": `Maps of both classes: ${heading}`, "data-testid": prefix },
      caption,
      row,
    );
  }

  close(): void {
    for (const heatmap of Object.values(this.heatmaps)) heatmap.close();
  }

  /** Show a scene. */
  show({ image, classes, request }: Scene): void {
    const name = (label: number | null) => classes.find((entry) => entry.label === label)?.name ?? "";
    for (const heatmap of Object.values(this.heatmaps)) heatmap.show(image);
    const { target, against, difference } = this.heatmaps;
    setText(target.title, name(request.target));
    setText(against.title, name(request.against));
    setText(difference.title, "Difference");
    target.title.dataset.role = "target";
    against.title.dataset.role = "against";
    for (const { title } of [target, against, difference]) title.title = title.textContent ?? "";
  }

  /**
   * Draw the computed cells.
   * @param other maps that these share their colour scales with
   */
  draw(grid: MapGrid, other: MapGrid | null): void {
    this.grid = grid.againstScores ? grid : null;
    if (!grid.againstScores) return;
    for (const name of MAPS) {
      const map = valueMapOf(name, grid.quantity);
      const [values, range, format] = [valuesOf(grid, map), sharedRange(grid, other, map), formatOf(name, grid.quantity)];
      if (!values) continue;
      const heatmap = this.heatmaps[name];
      heatmap.align(grid);
      const before = withoutPatch(grid, map) ?? Number.NaN;
      heatmap.scale(format(range[0]), format(range[1]), range[1] > range[0] ? (before - range[0]) / (range[1] - range[0]) : 0);
      drawValues(heatmap.canvas, values, grid.rows, grid.cols, range, grid.nearest, name === "difference" ? "compared" : "viridis");
    }
    setText(this.heatmaps.difference.title, isValue(grid.quantity) ? "Difference" : "Difference (points)");
    setText(this.count, describeCount(grid));
    this.read(null);
  }

  /** Show the values for a cell; null: without a patch. */
  read(cell: number | null): void {
    const { grid } = this;
    if (!grid) return;
    for (const name of MAPS) {
      const map = valueMapOf(name, grid.quantity);
      const value = cell === null ? withoutPatch(grid, map) : (valuesOf(grid, map)?.[cell] ?? null);
      const text = value === null || Number.isNaN(value) ? "" : formatOf(name, grid.quantity)(value);
      this.heatmaps[name].read(cell === null ? null : grid, cell ?? 0, text);
    }
  }

  mark(patches: Point[]): void {
    for (const heatmap of Object.values(this.heatmaps)) heatmap.mark(patches);
  }

  setStale(stale: boolean): void {
    this.element.dataset.stale = String(stale);
  }
}

function valueMapOf(name: Compared, quantity: Quantity | null): ValueMap {
  return name === "target" ? (isValue(quantity) ? "value" : "probability") : name;
}

function formatOf(name: Compared, quantity: Quantity | null): (value: number) => string {
  if (isValue(quantity)) return formatShortValue;
  return name === "difference" ? formatDifference : formatPercent;
}

/** Format a difference of probabilities, with its sign. */
export function formatDifference(value: number): string {
  const text = formatPercent(Math.abs(value)).replace("%", "");
  return Number(text) === 0 ? "0" : `${value < 0 ? "−" : "+"}${text}`;
}

/** Return at how many positions of the patch the second class is above the first, or how many are computed. */
export function describeCount({ difference, done, total, complete, names, target, unoccluded, value }: MapGrid): string {
  const before = withoutPatch({ unoccluded, ...(value ? { value } : {}) }, "difference") ?? 0;
  let turned = 0;
  for (const change of difference ?? []) if (before > 0 ? change < 0 : change > 0) turned += 1;
  const of = complete ? `${total} positions` : `${done} positions so far`;
  const winner = before > 0 ? "no longer ahead" : "ahead";
  return target === null ? "" : `${className(names, target)} is ${winner} at ${turned} of ${of}`;
}
