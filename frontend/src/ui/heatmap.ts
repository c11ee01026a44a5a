import { devicePixels, h, setText } from "./dom.ts";
import { VIRIDIS_GRADIENT } from "./colormap.ts";
import { cellCentre, placeOn } from "../occlusion/map_grid.ts";
import { layOver } from "../occlusion/stage.ts";
import type { Grid } from "../occlusion/map_grid.ts";
import type { Point } from "../occlusion/geometry.ts";

/**
 * One map of the image: where it was computed it covers the faint photograph. Pointing at it reads it, pressing puts the patch there.
 */
export class MapPicture {
  size: Point;
  backdrop: HTMLCanvasElement;
  canvas: HTMLCanvasElement;
  marks: HTMLCanvasElement;
  marked: Point[];
  cell: HTMLElement;
  place: HTMLElement;
  title: HTMLElement;
  reading: HTMLElement;
  tick: HTMLElement;
  ends: [HTMLElement, HTMLElement];
  element: HTMLElement;
  sizes: ResizeObserver;

  constructor({
    name,
    scaled,
    hover,
    put,
  }: {
    /** also its test id */
    name: string;
    /** whether a scale of values stands beneath */
    scaled: boolean;
    hover: (point: Point | null) => void;
    put: (point: Point, event: PointerEvent) => void;
  }) {
    this.size = [1, 1];
    this.backdrop = h("canvas", { class: "dwo-backdrop" });
    this.canvas = h("canvas", { class: "dwo-over dwo-crisp" });
    // Drawn, not laid out: a drag moves them in every frame, and the browser would arrange the whole notebook's layers anew.
    this.marks = h("canvas", { class: "dwo-layer dwo-marks" });
    this.marked = [];
    this.cell = h("div", { class: "dwo-cell", hidden: true });
    this.place = h("div", { class: "dwo-map-place", "data-testid": `map-${name}` }, this.backdrop, this.canvas, this.marks, this.cell);
    this.title = h("div", { class: "dwo-map-title", "data-testid": `map-${name}-title` });
    this.reading = h("span", { class: "dwo-reading", "data-testid": `reading-${name}` });
    this.tick = h("i", { class: "dwo-tick", title: "Without a patch" });
    this.ends = [h("span", {}), h("span", {})];
    const scale = h("div", { class: "dwo-scale" }, this.tick);
    scale.style.background = VIRIDIS_GRADIENT;
    const under = h("div", { class: "dwo-ends" }, this.ends[0], this.reading, this.ends[1]);
    this.element = h("div", { class: "dwo-map" }, this.title, this.place, scaled ? scale : null, scaled ? under : null);
    this.listen(hover, put);
    this.sizes = new ResizeObserver(() => this.mark(this.marked));
    this.sizes.observe(this.place);
  }

  close() {
    this.sizes.disconnect();
  }

  listen(hover: (point: Point | null) => void, put: (point: Point, event: PointerEvent) => void) {
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
    place.addEventListener("pointerup", (event) => event.pointerType === "touch" && hover(null));
  }

  pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.place.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }

  /** Another image beneath. */
  show(picture: ImageBitmap) {
    this.size = [picture.height, picture.width];
    this.place.style.aspectRatio = `${picture.width} / ${picture.height}`;
    this.place.style.width = `${100 * Math.min(1, picture.width / picture.height)}%`; // a portrait is no higher than a square one
    Object.assign(this.backdrop, { width: picture.width, height: picture.height });
    const context = this.backdrop.getContext("2d") as CanvasRenderingContext2D;
    context.globalAlpha = 0.45;
    context.filter = "grayscale(1)"; // here and not in the style sheet, where every frame of a drag would filter it again
    context.drawImage(picture, 0, 0);
  }

  /** Where the map lies; it is painted by whoever knows its colours. */
  lay(grid: Grid) {
    layOver(this.canvas, placeOn(grid, this.size));
  }

  /** The ends of the scale in words, and where the value without a patch stands. */
  scale(low: string, high: string, share: number) {
    setText(this.ends[0], low);
    setText(this.ends[1], high);
    this.tick.style.left = `${100 * share}%`;
  }

  /** What is pointed at. */
  read(grid: Grid | null, cell: number, words: string) {
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

  /** Where the patches are. */
  mark(patches: Point[]) {
    this.marked = patches;
    const [width, height, ratio] = devicePixels(this.place);
    if (!width) return; // its tab is not shown
    if (this.marks.width !== width || this.marks.height !== height) Object.assign(this.marks, { width, height });
    const context = this.marks.getContext("2d") as CanvasRenderingContext2D;
    context.clearRect(0, 0, width, height);
    for (const [row, column] of patches) drawDot(context, (column / this.size[1]) * width, (row / this.size[0]) * height, ratio);
  }
}

/** A light ring in a dark one, to be seen on any map. */
function drawDot(context: CanvasRenderingContext2D, x: number, y: number, ratio: number) {
  for (const [radius, colour] of [
    [5, "rgb(0 0 0 / 0.55)"],
    [3.75, "#fff"],
  ] as [number, string][]) {
    context.beginPath();
    context.arc(x, y, radius * ratio, 0, 2 * Math.PI);
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = colour;
    context.stroke();
  }
}
