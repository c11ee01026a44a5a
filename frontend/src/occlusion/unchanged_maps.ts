import type { Quantity } from "../kernel/wire.ts";
import { drawClasses, drawValues } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatPercent } from "../ui/format.ts";
import { describeQuantity, formatShortValue, isValue } from "../ui/quantity.ts";
import { ComparedMaps } from "./compared_maps.ts";
import type { Point } from "./geometry.ts";
import { Heatmap } from "./heatmap.ts";
import { type MapGrid, sharedRange } from "./map_grid.ts";
import { MapsJob } from "./maps_job.ts";
import type { OcclusionStore, Scene } from "./store.ts";

interface UnchangedMapsOptions {
  changed: () => void;
  failed: (message: string) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
}

/** The maps of the network with all units on, among those of the changed one: of the target, on the same colour scale, and of the classes. */
export class UnchangedMaps {
  readonly element: HTMLElement;
  /** Shown while two classes are compared. */
  readonly compared: ComparedMaps;
  private readonly target: Heatmap;
  private readonly classes: Heatmap;
  private readonly job: MapsJob;

  /**
   * @param main the job of the changed network's maps, which are computed first
   * @param view the id of the view
   */
  constructor(
    private readonly store: OcclusionStore,
    private readonly main: MapsJob,
    view: string,
    { changed, failed, placePatch }: UnchangedMapsOptions,
  ) {
    this.job = new MapsJob(store, view, { changed, failed }, true);
    const hover = () => {};
    this.target = new Heatmap({ name: "unchanged-target", colours: "viridis", hover, placePatch });
    this.classes = new Heatmap({ name: "unchanged-label", colours: null, hover, placePatch });
    this.compared = new ComparedMaps({ prefix: "unchanged-compared", heading: "With all units on", hover, placePatch });
    const parts = [this.target.element, this.classes.element];
    this.element = h("section", { class: "dwo-unchanged", "aria-label": "With all units on", "data-testid": "unchanged-maps" }, ...parts);
    this.element.hidden = this.compared.element.hidden = true;
  }

  close(): void {
    for (const part of [this.job, this.target, this.classes, this.compared]) part.close();
  }

  /**
   * Show a scene.
   * @param target the name of the target class or output; null if the model predicts nothing
   */
  show(scene: Scene, target: string | null, quantity: Quantity | null): void {
    for (const heatmap of [this.target, this.classes]) heatmap.show(scene.image);
    this.compared.show(scene);
    setText(this.target.title, target === null ? "" : `All units on: ${describeQuantity(quantity, target)}`);
    setText(this.classes.title, "All units on: most probable class");
    this.classes.element.hidden = isValue(quantity);
  }

  /** Start the maps if units are off, and those of the changed network are complete. */
  update(...[version, request, settings]: Parameters<MapsJob["update"]>): void {
    this.element.hidden = !this.areUnitsOff || !this.job.grid;
    this.compared.element.hidden = !this.areUnitsOff || !this.job.grid?.againstScores;
    this.element.dataset.stale = String(this.job.stale);
    this.compared.setStale(this.job.stale);
    if (this.areUnitsOff && this.main.grid?.complete && !this.main.stale) this.job.update(version, request, settings);
  }

  /** Draw the computed cells, and return the maps that are shown. `changed` are those of the changed network. */
  draw(changed: MapGrid): MapGrid | null {
    const { grid } = this.job;
    if (!this.areUnitsOff || !grid) return null;
    this.drawGrid(grid, sharedRange(changed, grid, changed.value ? "value" : "probability"));
    this.compared.draw(grid, changed);
    return grid;
  }

  private get areUnitsOff(): boolean {
    return (this.store.hello?.overview.units.length ?? 0) > 0;
  }

  private drawGrid(grid: MapGrid, range: [number, number]): void {
    const values = grid.value ?? grid.probability;
    if (!values) return;
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
    for (const map of [this.target, this.classes, this.compared]) map.mark(patches);
  }
}
