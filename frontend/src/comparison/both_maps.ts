/** The occlusion maps of two models on one colour scale, and their difference. */
import type { Quantity } from "../kernel/wire.ts";
import { formatDifference } from "../occlusion/compared_maps.ts";
import type { Point } from "../occlusion/geometry.ts";
import { Heatmap } from "../occlusion/heatmap.ts";
import { cellAt, cellCentre, colourRange, type MapGrid, sharedRange, withoutPatch } from "../occlusion/map_grid.ts";
import type { Scene } from "../occlusion/store.ts";
import { drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber, formatPercent } from "../ui/format.ts";
import { describeQuantity, formatShortValue } from "../ui/quantity.ts";
import { scalePoint } from "./occlusion_wire.ts";
import { type Both, SIDES, type Side } from "./wire.ts";

type ScoreMap = "probability" | "value" | "activity";

/** The difference of two probabilities below which its colours do not grow: noise must not look like a finding. */
const MIN_CHANGE = 0.05;

export interface SideMaps {
  grid: MapGrid;
  scene: Scene;
  /** The name of the target. */
  target: string;
  quantity: Quantity | null;
}

interface MapsOptions {
  /** Both with points in pixels of that side's image. */
  hover: (side: Side, point: Point | null) => void;
  placePatch: (side: Side, point: Point, event: PointerEvent) => void;
}

/** Return the map of the target: probabilities or values; the activity if the model predicts nothing. */
export function scoreMap(grid: Partial<MapGrid>): ScoreMap {
  return grid.probability ? "probability" : grid.value ? "value" : "activity";
}

/** Return the map of A minus that of B at the nearest position, on the positions of A. NaN where one of them is not computed. */
export function differenceOf(a: MapGrid, b: MapGrid, sizes: Both<Point>): Float32Array {
  const [first, second] = [a[scoreMap(a)], b[scoreMap(b)]];
  return Float32Array.from({ length: a.rows * a.cols }, (_, cell) => {
    const other = cellAt(b, scalePoint(cellCentre(a, cell), sizes.a, sizes.b));
    return (first?.[cell] ?? Number.NaN) - (second?.[other] ?? Number.NaN);
  });
}

export class BothMaps {
  readonly element: HTMLElement;
  readonly note = h("p", { class: "dwo-dim dwc-difference-note", role: "status", "data-testid": "difference-note" });
  private readonly heatmaps: Record<Side | "difference", Heatmap>;
  private shown: Partial<Both<SideMaps>> = {};
  private difference: Float32Array | null = null;

  constructor({ hover, placePatch }: MapsOptions) {
    const create = (name: Side) =>
      new Heatmap({
        name,
        colours: "viridis",
        hover: (point) => hover(name, point),
        placePatch: (point, event) => placePatch(name, point, event),
      });
    const difference = new Heatmap({
      name: "difference",
      colours: "models",
      hover: (point) => hover("a", point),
      placePatch: (point, event) => placePatch("a", point, event),
    });
    this.heatmaps = { a: create("a"), b: create("b"), difference };
    const parts = [this.heatmaps.a.element, this.heatmaps.b.element, difference.element, this.note];
    this.element = h("div", { class: "dwo-maps dwc-both-maps", "data-testid": "maps" }, ...parts);
  }

  close(): void {
    for (const heatmap of Object.values(this.heatmaps)) heatmap.close();
  }

  /** Show the photograph of a side below its map. */
  showScene(side: Side, scene: Scene): void {
    this.heatmaps[side].show(scene.image);
    if (side === "a") this.heatmaps.difference.show(scene.image);
  }

  mark(side: Side, patches: Point[]): void {
    this.heatmaps[side].mark(patches);
    if (side === "a") this.heatmaps.difference.mark(patches);
  }

  /**
   * Draw the computed cells.
   * @param reason why the two maps cannot be subtracted; empty if they can
   */
  draw(maps: Partial<Both<SideMaps>>, reason: string): void {
    this.shown = maps;
    const { a, b } = maps;
    const isShared = a !== undefined && b !== undefined && scoreMap(a.grid) === scoreMap(b.grid) && scoreMap(a.grid) !== "activity";
    for (const side of SIDES) {
      const own = maps[side];
      const other = isShared ? (maps[side === "a" ? "b" : "a"]?.grid ?? null) : null;
      if (own) this.drawSide(side, own, other);
    }
    this.difference = a && b && isShared && !reason ? differenceOf(a.grid, b.grid, sizesOf(a, b)) : null;
    this.heatmaps.difference.element.hidden = !this.difference;
    if (a && b && this.difference) this.drawDifference({ a, b }, this.difference);
    setText(this.note, reason || (a && b && !isShared ? describeUnlike({ a, b }) : ""));
    this.read(null);
  }

  /** Show the values at a point of A's image; null: without a patch. */
  read(point: Point | null): void {
    const { a, b } = this.shown;
    if (a) this.readSide("a", a, point && cellAt(a.grid, point));
    if (b) this.readSide("b", b, point && cellAt(b.grid, scalePoint(point, a ? sizeOf(a.scene) : sizeOf(b.scene), sizeOf(b.scene))));
    if (!a || !b || !this.difference) return;
    const cell = point ? cellAt(a.grid, point) : null;
    const value = cell === null ? differenceWithoutPatch({ a, b }) : (this.difference[cell] ?? Number.NaN);
    const text = Number.isNaN(value) ? "" : `${cell === null ? "no patch" : "here"}: ${signed(a.grid, value)}`;
    this.heatmaps.difference.read(cell === null ? null : a.grid, cell ?? 0, text);
  }

  setStale(stale: boolean): void {
    this.element.dataset.stale = String(stale);
  }

  private drawSide(side: Side, { grid, target, quantity }: SideMaps, other: MapGrid | null): void {
    const name = scoreMap(grid);
    const heatmap = this.heatmaps[side];
    const values = grid[name];
    if (!values) return;
    const range = other ? sharedRange(grid, other, name) : colourRange(grid, name);
    const title = name === "activity" ? `Activity of ${grid.layer} / ${grid.unit}` : describeQuantity(quantity, target);
    setText(heatmap.title, `${side.toUpperCase()}: ${title}`);
    heatmap.align(grid);
    const before = withoutPatch(grid, name) ?? Number.NaN;
    heatmap.scale(format(grid, range[0]), format(grid, range[1]), range[1] > range[0] ? (before - range[0]) / (range[1] - range[0]) : 0);
    drawValues(heatmap.canvas, values, grid.rows, grid.cols, range, grid.nearest, "viridis");
  }

  private drawDifference(maps: Both<SideMaps>, values: Float32Array): void {
    const { difference } = this.heatmaps;
    const { grid } = maps.a;
    let edge = grid.probability ? MIN_CHANGE : 0;
    for (const value of values) if (Math.abs(value) > edge) edge = Math.abs(value);
    edge ||= 1;
    setText(difference.title, grid.probability ? "A minus B, in points" : "A minus B");
    difference.align(grid);
    const before = differenceWithoutPatch(maps);
    const position = Number.isNaN(before) ? 0.5 : Math.min(1, Math.max(0, (before + edge) / (2 * edge)));
    difference.scale(signed(grid, -edge), signed(grid, edge), position);
    const nearest = values.some(Number.isNaN) ? (grid.nearest ?? null) : null;
    drawValues(difference.canvas, values, grid.rows, grid.cols, [-edge, edge], nearest, "models");
  }

  private readSide(side: Side, { grid }: SideMaps, cell: number | null): void {
    const name = scoreMap(grid);
    const value = cell === null ? withoutPatch(grid, name) : (grid[name]?.[cell] ?? null);
    const isMissing = value === null || Number.isNaN(value);
    const text = isMissing ? (cell === null ? "" : "not computed") : `${cell === null ? "no patch" : "here"}: ${format(grid, value)}`;
    this.heatmaps[side].read(cell === null ? null : grid, cell ?? 0, text);
  }
}

/** Return A minus B for the photograph without a patch; NaN where one of them is not known. */
function differenceWithoutPatch({ a, b }: Both<SideMaps>): number {
  return (withoutPatch(a.grid, scoreMap(a.grid)) ?? Number.NaN) - (withoutPatch(b.grid, scoreMap(b.grid)) ?? Number.NaN);
}

/** Return why maps of different quantities have no difference. */
function describeUnlike(maps: Both<SideMaps>): string {
  const silent = SIDES.filter((side) => scoreMap(maps[side].grid) === "activity").map((side) => side.toUpperCase());
  if (!silent.length) return "One model predicts probabilities and the other values: there is no difference.";
  const [subject, verb] = silent.length === 2 ? ["A and B", "predict"] : [silent[0], "predicts"];
  return `${subject} ${verb} nothing: the map is the activity of the strongest feature map, and there is no difference.`;
}

function sizeOf({ image }: Scene): Point {
  return [image.height, image.width];
}

function sizesOf(a: SideMaps, b: SideMaps): Both<Point> {
  return { a: sizeOf(a.scene), b: sizeOf(b.scene) };
}

function format(grid: MapGrid, value: number): string {
  if (grid.probability) return formatPercent(value);
  return grid.value ? formatShortValue(value) : formatNumber(value);
}

function signed(grid: MapGrid, value: number): string {
  if (grid.probability) return formatDifference(value);
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${formatShortValue(Math.abs(value))}`;
}
