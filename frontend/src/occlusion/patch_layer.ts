import { context2d, h } from "../ui/dom.ts";
import { type Box, boxAt, type Point } from "./geometry.ts";

export interface Patches {
  /** The centres. */
  patches: Point[];
  window: Point;
  /** The index of the active patch. */
  active: number;
}

/** A canvas over the image, on which patches are drawn. */
export class PatchLayer {
  readonly canvas = h("canvas", { class: "dwo-layer dwo-patches", "data-testid": "patches" });
  /** The image that is visible inside patches. */
  fill: ImageBitmap | null = null;
  private readonly context = context2d(this.canvas);
  private accent = "#fff";
  private scale = 1; // device pixels per pixel of the image

  /** Set the size of the canvas in device pixels. */
  resize(width: number, height: number, scale: number): void {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.scale = scale;
    this.accent = getComputedStyle(this.canvas).color;
  }

  draw({ patches, window, active }: Patches): void {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const centre of patches) this.drawFill(boxAt(centre, window));
    patches.forEach((centre, index) => void this.drawEdge(boxAt(centre, window), patches.length > 1 && index === active));
  }

  private drawFill(box: Box): void {
    const { context, canvas, fill } = this;
    if (!fill) return;
    context.save();
    context.beginPath();
    context.rect(...this.rectangle(box));
    context.clip();
    context.imageSmoothingQuality = "high";
    context.drawImage(fill, 0, 0, canvas.width, canvas.height);
    context.restore();
  }

  /** Draw a light line inside a dark line, which is visible on any background. */
  private drawEdge(box: Box, active: boolean): void {
    const { context } = this;
    const ratio = globalThis.devicePixelRatio || 1;
    context.lineWidth = (active ? 4.5 : 3) * ratio;
    context.strokeStyle = active ? "#fff" : "rgb(0 0 0 / 0.5)";
    context.strokeRect(...this.rectangle(box));
    context.lineWidth = (active ? 2.5 : 1.25) * ratio;
    context.strokeStyle = active ? this.accent : "#fff";
    context.strokeRect(...this.rectangle(box));
  }

  private rectangle([left, top, right, bottom]: Box): [number, number, number, number] {
    const { scale } = this;
    return [left * scale, top * scale, (right - left) * scale, (bottom - top) * scale];
  }
}
