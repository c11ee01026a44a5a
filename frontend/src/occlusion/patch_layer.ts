import { h } from "./dom.js";
import { boxAt } from "./occlusion_geometry.js";

/**
 * The patches, drawn over the image in the browser: nothing of it waits for the kernel.
 *
 * @typedef {import("./occlusion_geometry.js").Point} Point
 * @typedef {{patches: Point[], window: Point, active: number}} Patches
 */
export class PatchLayer {
  constructor() {
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "dwo-layer dwo-patches", "data-testid": "patches" }));
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** @type {ImageBitmap | null} what a patch shows wherever it lies */
    this.fill = null;
    this.accent = "#fff"; // of the patch that the keys move, where there are several
    this.scale = 1; // device pixels for a pixel of the image
  }

  /** @param {number} width @param {number} height device pixels @param {number} scale */
  resize(width, height, scale) {
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.scale = scale;
    this.accent = getComputedStyle(this.canvas).color;
  }

  /** @param {Patches} what */
  draw({ patches, window, active }) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    patches.forEach((centre) => this.drawFill(boxAt(centre, window)));
    patches.forEach((centre, at) => this.drawEdge(boxAt(centre, window), patches.length > 1 && at === active));
  }

  /** @param {import("./occlusion_geometry.js").Box} box */
  drawFill([left, top, right, bottom]) {
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

  /** A light line in a dark one, to be seen on any image. @param {import("./occlusion_geometry.js").Box} box @param {boolean} chosen */
  drawEdge([left, top, right, bottom], chosen) {
    const { context, scale } = this;
    const ratio = globalThis.devicePixelRatio || 1;
    const edge = /** @type {[number, number, number, number]} */ ([left * scale, top * scale, (right - left) * scale, (bottom - top) * scale]);
    context.lineWidth = (chosen ? 4.5 : 3) * ratio;
    context.strokeStyle = chosen ? "#fff" : "rgb(0 0 0 / 0.5)";
    context.strokeRect(...edge);
    context.lineWidth = (chosen ? 2.5 : 1.25) * ratio;
    context.strokeStyle = chosen ? this.accent : "#fff";
    context.strokeRect(...edge);
  }
}
