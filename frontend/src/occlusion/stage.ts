import { devicePixels, h, setText } from "./dom.js";
import { boxAt } from "./occlusion_geometry.js";
import { placeOn } from "./occlusion_grid.js";
import { PatchLayer } from "./occlusion_patches.js";

const STAGE_SIDE = 400; // CSS pixels

/**
 * Lay an element over a part of its parent.
 * @param {HTMLElement} element @param {{left: number, top: number, width: number, height: number}} shares
 */
export function layOver(element, shares) {
  for (const [name, share] of Object.entries(shares)) element.style.setProperty(name, `${100 * share}%`);
}

/**
 * The image with its patches, and a map over it.
 *
 * @typedef {import("./occlusion_geometry.js").Point} Point
 */
export class Stage {
  /**
   * @param {object} options
   * @param {(point: Point, event: PointerEvent) => void} options.press
   * @param {(point: Point, event: PointerEvent) => void} options.drag once a frame
   * @param {(point: Point, event: PointerEvent) => void} options.foresee as soon as the pointer has moved, where the browser tells
   * @param {() => void} options.release
   * @param {(point: Point | null) => void} options.hover
   */
  constructor({ press, drag, foresee, release, hover }) {
    /** @type {Point} */
    this.size = [224, 224];
    /** @type {ImageBitmap | null} */
    this.picture = null;
    /** @type {import("./occlusion_patches.js").Patches} */
    this.shown = { patches: [], window: [1, 1], active: 0 };
    this.base = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "dwo-layer" }));
    this.map = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "dwo-over", "data-testid": "overlay-map" }));
    this.layer = new PatchLayer();
    this.ghost = h("div", { class: "dwo-ghost", hidden: true, "data-testid": "ghost" });
    this.drop = h("div", { class: "dwo-drop", hidden: true, "data-testid": "drop-hint" }, "Drop a picture to look at it");
    const label = "The image with its patches: arrow keys move the patch, square brackets change its size, Delete removes it";
    const properties = { tabindex: 0, role: "application", "aria-label": label, "data-testid": "stage" };
    this.element = h("div", { class: "dwo-stage", ...properties }, this.base, this.map, this.layer.canvas, this.ghost, this.drop);
    this.listen(press, drag, foresee, release, hover);
    this.sizes = new ResizeObserver(() => this.render());
    this.sizes.observe(this.element);
  }

  /**
   * @param {(point: Point, event: PointerEvent) => void} press @param {(point: Point, event: PointerEvent) => void} drag
   * @param {(point: Point, event: PointerEvent) => void} foresee @param {() => void} release @param {(point: Point | null) => void} hover
   */
  listen(press, drag, foresee, release, hover) {
    const { element } = this;
    let held = /** @type {number | null} */ (null); // the finger that has the patch
    const early = (/** @type {any} a PointerEvent */ event) => held === event.pointerId && foresee(this.pointOf(event), event);
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || held !== null) return;
      held = event.pointerId;
      element.setPointerCapture(event.pointerId);
      element.addEventListener("pointerrawupdate", early);
      hover(null);
      press(this.pointOf(event), event);
    });
    element.addEventListener("pointermove", (event) => {
      if (held === event.pointerId) drag(this.pointOf(event), event);
      else if (held === null) hover(this.pointOf(event));
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(name, (event) => {
        if (held !== /** @type {PointerEvent} */ (event).pointerId) return;
        held = null;
        element.removeEventListener("pointerrawupdate", early);
        release();
      });
    }
    element.addEventListener("pointerleave", () => hover(null));
  }

  close() {
    this.sizes.disconnect();
  }

  /** @param {MouseEvent} event @returns {Point} in pixels of the image */
  pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.base.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }

  /** Another image. @param {ImageBitmap} picture @param {ImageBitmap} fill */
  show(picture, fill) {
    this.picture = picture;
    this.layer.fill = fill;
    this.size = [picture.height, picture.width];
    const longer = Math.max(...this.size);
    this.element.style.aspectRatio = `${picture.width} / ${picture.height}`;
    this.element.style.maxWidth = `${(STAGE_SIDE * picture.width) / longer}px`;
    this.render();
  }

  /** @param {import("./occlusion_patches.js").Patches} shown */
  draw(shown) {
    this.shown = shown;
    this.layer.draw(shown);
  }

  /** Everything anew, at the size that it has. */
  render() {
    const [width, height] = devicePixels(this.element);
    if (!this.picture || !width) return;
    Object.assign(this.base, { width, height });
    const context = /** @type {CanvasRenderingContext2D} */ (this.base.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, 0, 0, width, height);
    this.layer.resize(width, height, width / this.size[1]);
    this.draw(this.shown);
  }

  /** The window at a place that is pointed to elsewhere. @param {Point | null} centre @param {Point} window */
  hint(centre, window) {
    this.ghost.hidden = !centre;
    if (!centre) return;
    const [left, top, right, bottom] = boxAt(centre, window);
    const [height, width] = this.size;
    layOver(this.ghost, { left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height });
  }

  /** Where the map lies, and how strong. @param {import("./occlusion_grid.js").Grid | null} grid @param {number} opacity */
  overlay(grid, opacity) {
    this.map.hidden = !grid || opacity === 0;
    this.map.style.opacity = String(opacity);
    if (grid) layOver(this.map, placeOn(grid, this.size));
  }

  /** @param {boolean} dropping @param {string} [words] */
  offer(dropping, words = "Drop a picture to look at it") {
    this.drop.hidden = !dropping;
    setText(this.drop, words);
  }
}
