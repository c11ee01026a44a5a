import { h } from "../ui/dom.ts";
import { boxAt } from "./geometry.ts";
import type { Box, Point } from "./geometry.ts";

export type Patches = { patches: Point[]; window: Point; active: number };

/** The patches, drawn over the image in the browser: nothing of it waits for the kernel. */
export class PatchLayer {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  /** what a patch shows wherever it lies */
  fill: ImageBitmap | null;
  accent: string;
  scale: number;

  constructor() {
    this.canvas = h("canvas", { class: "dwo-layer dwo-patches", "data-testid": "patches" });
    this.context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
    this.fill = null;
    this.accent = "#fff"; // of the patch that the keys move, where there are several
    this.scale = 1; // device pixels for a pixel of the image
  }

  /** @param height device pixels */
  resize(width: number, height: number, scale: number) {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.scale = scale;
    this.accent = getComputedStyle(this.canvas).color;
  }

  draw({ patches, window, active }: Patches) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    patches.forEach((centre) => this.drawFill(boxAt(centre, window)));
    patches.forEach((centre, at) => this.drawEdge(boxAt(centre, window), patches.length > 1 && at === active));
  }

  drawFill([left, top, right, bottom]: Box) {
    const { context, canvas, fill, scale } = this;
    if (!fill) return;
    context.save();
    context.beginPath();
    context.rect(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale);
    context.clip();
    context.imageSmoothingQuality = "high";
    context.drawImage(fill, 0, 0, canvas.width, canvas.height);
    context.restore();
  }

  /** A light line in a dark one, to be seen on any image. */
  drawEdge([left, top, right, bottom]: Box, chosen: boolean) {
    const { context, scale } = this;
    const ratio = globalThis.devicePixelRatio || 1;
    const edge: [number, number, number, number] = [left * scale, top * scale, (right - left) * scale, (bottom - top) * scale];
    context.lineWidth = (chosen ? 4.5 : 3) * ratio;
    context.strokeStyle = chosen ? "#fff" : "rgb(0 0 0 / 0.5)";
    context.strokeRect(...edge);
    context.lineWidth = (chosen ? 2.5 : 1.25) * ratio;
    context.strokeStyle = chosen ? this.accent : "#fff";
    context.strokeRect(...edge);
  }
}
