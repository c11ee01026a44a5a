import { VIRIDIS_GRADIENT } from "../ui/colormap.ts";
import { context2d, devicePixels, h, setText } from "../ui/dom.ts";
import type { Point } from "./geometry.ts";
import { cellCentre, type MapGrid, mapPlace } from "./map_grid.ts";
import { layOver } from "./stage.ts";

interface HeatmapOptions {
  name: string;
  /** Whether it has a scale of values below. */
  scaled: boolean;
  hover: (point: Point | null) => void;
  put: (point: Point, event: PointerEvent) => void;
}

/** One occlusion map over the faint image. Pointing at it reads it, pressing puts the patch there. */
export class Heatmap {
  readonly element: HTMLElement;
  readonly title: HTMLElement;
  /** One pixel a cell; painted by those who know its colours. */
  readonly canvas = h("canvas", { class: "dwo-over dwo-crisp" });
  private readonly backdrop = h("canvas", { class: "dwo-backdrop" });
  // Drawn, not laid out: a drag moves them often, and the browser would arrange the layers of the whole notebook anew.
  private readonly marks = h("canvas", { class: "dwo-layer dwo-marks" });
  private readonly cell = h("div", { class: "dwo-cell", hidden: true });
  private readonly place: HTMLElement;
  private readonly reading: HTMLElement;
  private readonly tick = h("i", { class: "dwo-tick", title: "Without a patch" });
  private readonly low = h("span", {});
  private readonly high = h("span", {});
  private readonly observer = new ResizeObserver(() => this.mark(this.marked));
  private size: Point = [1, 1];
  private marked: Point[] = [];

  constructor({ name, scaled, hover, put }: HeatmapOptions) {
    const properties = { class: "dwo-map-place", "data-testid": `map-${name}` };
    this.place = h("div", properties, this.backdrop, this.canvas, this.marks, this.cell);
    this.title = h("div", { class: "dwo-map-title", "data-testid": `map-${name}-title` });
    this.reading = h("span", { class: "dwo-reading", "data-testid": `reading-${name}` });
    const scale = h("div", { class: "dwo-scale" }, this.tick);
    scale.style.background = VIRIDIS_GRADIENT;
    const ends = h("div", { class: "dwo-ends" }, this.low, this.reading, this.high);
    this.element = h("div", { class: "dwo-map" }, this.title, this.place, scaled ? scale : null, scaled ? ends : null);
    this.listen(hover, put);
    this.observer.observe(this.place);
  }

  close(): void {
    this.observer.disconnect();
  }

  /** Show another image below the map. */
  show(image: ImageBitmap): void {
    this.size = [image.height, image.width];
    this.place.style.aspectRatio = `${image.width} / ${image.height}`;
    this.place.style.width = `${100 * Math.min(1, image.width / image.height)}%`; // a portrait is no higher than a square
    Object.assign(this.backdrop, { width: image.width, height: image.height });
    const context = context2d(this.backdrop);
    context.globalAlpha = 0.45;
    context.filter = "grayscale(1)"; // here and not in the stylesheet, where every frame of a drag would filter it again
    context.drawImage(image, 0, 0);
  }

  /** Place the map over the image. */
  lay(grid: MapGrid): void {
    layOver(this.canvas, mapPlace(grid, this.size));
  }

  /**
   * Label the scale.
   * @param share where the value without a patch is on it, from 0 to 1
   */
  scale(low: string, high: string, share: number): void {
    setText(this.low, low);
    setText(this.high, high);
    this.tick.style.left = `${100 * share}%`;
  }

  /** Show what the map says of a cell. Without a grid none is pointed at. */
  read(grid: MapGrid | null, cell: number, words: string): void {
    this.cell.hidden = !grid;
    setText(this.reading, words);
    this.reading.dataset.resting = String(!grid);
    if (!grid) return;
    const [row, column] = cellCentre(grid, cell);
    const [rows, columns] = grid.stride;
    const [height, width] = this.size;
    layOver(this.cell, {
      left: (column - columns / 2) / width,
      top: (row - rows / 2) / height,
      width: columns / width,
      height: rows / height,
    });
  }

  /** Mark where the patches are. */
  mark(patches: Point[]): void {
    this.marked = patches;
    const [width, height, ratio] = devicePixels(this.place);
    if (!width) return; // its tab is not shown
    if (this.marks.width !== width || this.marks.height !== height) Object.assign(this.marks, { width, height });
    const context = context2d(this.marks);
    context.clearRect(0, 0, width, height);
    for (const [row, column] of patches) drawDot(context, (column / this.size[1]) * width, (row / this.size[0]) * height, ratio);
  }

  private listen(hover: HeatmapOptions["hover"], put: HeatmapOptions["put"]): void {
    const { place } = this;
    place.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      place.setPointerCapture(event.pointerId);
      put(this.pointOf(event), event);
    });
    place.addEventListener("mousedown", (event) => event.preventDefault()); // it would take the focus from the stage
    place.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) put(this.pointOf(event), event);
      hover(this.pointOf(event));
    });
    for (const name of ["pointerleave", "pointercancel"]) place.addEventListener(name, () => hover(null));
    place.addEventListener("pointerup", (event) => {
      if (event.pointerType === "touch") hover(null);
    });
  }

  private pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.place.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }
}

/** Draw a light ring inside a dark one, to be seen on any map. */
function drawDot(context: CanvasRenderingContext2D, x: number, y: number, ratio: number): void {
  for (const [radius, colour] of [
    [5, "rgb(0 0 0 / 0.55)"],
    [3.75, "#fff"],
  ] as const) {
    context.beginPath();
    context.arc(x, y, radius * ratio, 0, 2 * Math.PI);
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = colour;
    context.stroke();
  }
}
