import { type ColourMap, GRADIENTS } from "../ui/colormap.ts";
import { context2d, devicePixels, h, setText } from "../ui/dom.ts";
import type { Point } from "./geometry.ts";
import { cellCentre, type MapGrid, mapBox } from "./map_grid.ts";
import { setRelativeBox } from "./stage.ts";

interface HeatmapOptions {
  name: string;
  /** The colour map of the scale below the map; null: no scale. */
  colours: ColourMap | null;
  hover: (point: Point | null) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
}

/** An occlusion map over the image in gray. Hovering reads its values, pressing moves the patch. */
export class Heatmap {
  readonly element: HTMLElement;
  readonly title: HTMLElement;
  /** One pixel per cell, drawn by `Maps`. */
  readonly canvas = h("canvas", { class: "dwo-map-canvas dwo-pixelated" });
  private readonly backdrop = h("canvas", { class: "dwo-backdrop" });
  // A canvas: moving elements during a drag would make the browser recompute the compositing layers of the whole notebook.
  private readonly marks = h("canvas", { class: "dwo-layer dwo-marks" });
  private readonly cell = h("div", { class: "dwo-cell", hidden: true });
  private readonly frame: HTMLElement;
  private readonly reading: HTMLElement;
  private readonly tick = h("i", { class: "dwo-tick", title: "Without a patch" });
  private readonly low = h("span", {});
  private readonly high = h("span", {});
  private readonly observer = new ResizeObserver(() => this.mark(this.markedPatches));
  private size: Point = [1, 1];
  private markedPatches: Point[] = [];

  constructor({ name, colours, hover, placePatch }: HeatmapOptions) {
    const properties = { class: "dwo-map-frame", "data-testid": `map-${name}` };
    this.frame = h("div", properties, this.backdrop, this.canvas, this.marks, this.cell);
    this.title = h("div", { class: "dwo-map-title", "data-testid": `map-${name}-title` });
    this.reading = h("span", { class: "dwo-reading", "data-testid": `reading-${name}` });
    const scale = h("div", { class: "dwo-scale" }, this.tick);
    if (colours) scale.style.background = GRADIENTS[colours];
    const ends = h("div", { class: "dwo-scale-labels" }, this.low, this.reading, this.high);
    this.element = h("div", { class: "dwo-map" }, this.title, this.frame, colours ? scale : null, colours ? ends : null);
    this.listen(hover, placePatch);
    this.observer.observe(this.frame);
  }

  close(): void {
    this.observer.disconnect();
  }

  /** Show an image below the map. */
  show(image: ImageBitmap): void {
    this.size = [image.height, image.width];
    this.frame.style.aspectRatio = `${image.width} / ${image.height}`;
    this.frame.style.width = `${100 * Math.min(1, image.width / image.height)}%`; // portrait images are as high as square ones
    Object.assign(this.backdrop, { width: image.width, height: image.height });
    const context = context2d(this.backdrop);
    context.globalAlpha = 0.45;
    context.filter = "grayscale(1)"; // a CSS filter would be applied again in each frame of a drag
    context.drawImage(image, 0, 0);
  }

  /** Align the map with the image. */
  align(grid: MapGrid): void {
    setRelativeBox(this.canvas, mapBox(grid, this.size));
  }

  /**
   * Label the colour scale.
   * @param unoccludedPosition the position of the value without a patch, from 0 to 1
   */
  scale(low: string, high: string, unoccludedPosition: number): void {
    setText(this.low, low);
    setText(this.high, high);
    this.tick.style.left = `${100 * unoccludedPosition}%`;
  }

  /** Show the value of the hovered cell; without a grid, no cell is hovered. */
  read(grid: MapGrid | null, cell: number, text: string): void {
    this.cell.hidden = !grid;
    setText(this.reading, text);
    this.reading.dataset.resting = String(!grid);
    if (!grid) return;
    const [row, column] = cellCentre(grid, cell);
    const [rows, columns] = grid.stride;
    const [height, width] = this.size;
    setRelativeBox(this.cell, {
      left: (column - columns / 2) / width,
      top: (row - rows / 2) / height,
      width: columns / width,
      height: rows / height,
    });
  }

  /** Mark the positions of the patches. */
  mark(patches: Point[]): void {
    this.markedPatches = patches;
    const [width, height, ratio] = devicePixels(this.frame);
    if (!width) return; // the tab is hidden
    if (this.marks.width !== width || this.marks.height !== height) Object.assign(this.marks, { width, height });
    const context = context2d(this.marks);
    context.clearRect(0, 0, width, height);
    for (const [row, column] of patches) drawDot(context, (column / this.size[1]) * width, (row / this.size[0]) * height, ratio);
  }

  private listen(hover: HeatmapOptions["hover"], placePatch: HeatmapOptions["placePatch"]): void {
    const { frame } = this;
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      frame.setPointerCapture(event.pointerId);
      placePatch(this.pointOf(event), event);
    });
    frame.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus on the stage
    frame.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) placePatch(this.pointOf(event), event);
      hover(this.pointOf(event));
    });
    for (const name of ["pointerleave", "pointercancel"]) frame.addEventListener(name, () => hover(null));
    frame.addEventListener("pointerup", (event) => {
      if (event.pointerType === "touch") hover(null);
    });
  }

  private pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.frame.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }
}

/** Draw a light ring inside a dark ring, which is visible on any background. */
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
