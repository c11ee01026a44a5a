import type { Quantity } from "../kernel/wire.ts";
import { drawClasses, drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { describeQuantity, formatShortValue, isValue } from "../ui/quantity.ts";
import type { Point } from "./geometry.ts";
import { Heatmap } from "./heatmap.ts";
import { colourRange, type MapGrid } from "./map_grid.ts";
import type { Scene } from "./store.ts";

interface UnchangedMapsOptions {
  hover: (point: Point | null) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
}

/** The maps of the network with all units on, below those of the changed one: of the target, on the same colour scale, and of the classes. */
export class UnchangedMaps {
  readonly element: HTMLElement;
  private readonly target: Heatmap;
  private readonly classes: Heatmap;
  private readonly heading = h("h3", {}, "With all units on");
  private readonly note = h("span", { class: "dwo-dim" });

  constructor({ hover, placePatch }: UnchangedMapsOptions) {
    this.target = new Heatmap({ name: "unchanged-target", colours: "viridis", hover, placePatch });
    this.classes = new Heatmap({ name: "unchanged-label", colours: null, hover, placePatch });
    const caption = h("div", { class: "dwo-part-caption" }, this.heading, this.note);
    const parts = [caption, this.target.element, this.classes.element];
    this.element = h("section", { class: "dwo-unchanged", "aria-label": "With all units on", "data-testid": "unchanged-maps" }, ...parts);
    this.element.hidden = true;
  }

  close(): void {
    for (const heatmap of [this.target, this.classes]) heatmap.close();
  }

  /**
   * Show a scene.
   * @param target the name of the target class or output; null if the model predicts nothing
   */
  show({ image }: Scene, target: string | null, quantity: Quantity | null): void {
    for (const heatmap of [this.target, this.classes]) heatmap.show(image);
    setText(this.target.title, target === null ? "" : describeQuantity(quantity, target));
    setText(this.classes.title, "Most probable class");
    this.classes.element.hidden = isValue(quantity);
  }

  /**
   * Draw the computed cells.
   * @param range of the colour scale, which both maps of the target share
   */
  draw(grid: MapGrid | null, range: [number, number], shown: boolean): void {
    this.element.hidden = !shown;
    if (!shown) return;
    const values = grid?.value ?? grid?.probability;
    setText(this.note, grid && !grid.complete ? `${grid.done} of ${grid.total} positions` : "same colour scale");
    if (!grid || !values) return;
    const name = grid.value ? "value" : "probability";
    const format = name === "value" ? formatShortValue : formatPercent;
    this.target.align(grid);
    const before = ((grid.unoccluded[name] ?? Number.NaN) - range[0]) / (range[1] - range[0] || 1);
    this.target.scale(format(range[0]), format(range[1]), before);
    drawValues(this.target.canvas, values, grid.rows, grid.cols, range, grid.nearest, name === "value" ? "diverging" : "viridis");
    this.target.read(null, 0, `no patch: ${format(grid.unoccluded[name] ?? Number.NaN)}`);
    if (!grid.label) return;
    this.classes.align(grid);
    drawClasses(this.classes.canvas, grid);
  }

  mark(patches: Point[]): void {
    for (const heatmap of [this.target, this.classes]) heatmap.mark(patches);
  }

  setStale(stale: boolean): void {
    this.element.dataset.stale = String(stale);
  }
}

/** Return the range of the colour scale of the target's maps with units off and with all on. */
export function sharedRange(grid: MapGrid, unchanged: MapGrid | null): [number, number] {
  const name = grid.value ? "value" : "probability";
  const range = colourRange(grid, name);
  if (!unchanged) return range;
  const other = colourRange(unchanged, name);
  return [Math.min(range[0], other[0]), Math.max(range[1], other[1])];
}
