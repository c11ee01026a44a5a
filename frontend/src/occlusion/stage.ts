import { devicePixels, h, setText } from "../ui/dom.ts";
import { boxAt } from "./geometry.ts";
import { placeOn } from "./map_grid.ts";
import { PatchLayer } from "./patch_layer.ts";
import type { Patches } from "./patch_layer.ts";
import type { Grid } from "./map_grid.ts";
import type { Point } from "./geometry.ts";

const STAGE_SIDE = 400; // CSS pixels

/** Lay an element over a part of its parent. */
export function layOver(element: HTMLElement, shares: { left: number; top: number; width: number; height: number }) {
  for (const [name, share] of Object.entries(shares)) element.style.setProperty(name, `${100 * share}%`);
}

/** The image with its patches, and a map over it. */
export class Stage {
  size: Point;
  picture: ImageBitmap | null;
  shown: Patches;
  base: HTMLCanvasElement;
  map: HTMLCanvasElement;
  layer: PatchLayer;
  ghost: HTMLElement;
  drop: HTMLElement;
  element: HTMLElement;
  sizes: ResizeObserver;

  constructor({
    press,
    drag,
    foresee,
    release,
    hover,
  }: {
    press: (point: Point, event: PointerEvent) => void;
    /** once a frame */
    drag: (point: Point, event: PointerEvent) => void;
    /** as soon as the pointer has moved, where the browser tells */
    foresee: (point: Point, event: PointerEvent) => void;
    release: () => void;
    hover: (point: Point | null) => void;
  }) {
    this.size = [224, 224];
    this.picture = null;
    this.shown = { patches: [], window: [1, 1], active: 0 };
    this.base = h("canvas", { class: "dwo-layer" });
    this.map = h("canvas", { class: "dwo-over", "data-testid": "overlay-map" });
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

  listen(
    press: (point: Point, event: PointerEvent) => void,
    drag: (point: Point, event: PointerEvent) => void,
    foresee: (point: Point, event: PointerEvent) => void,
    release: () => void,
    hover: (point: Point | null) => void,
  ) {
    const { element } = this;
    let held: number | null = null; // the finger that has the patch
    const early = (event: PointerEvent) => held === event.pointerId && foresee(this.pointOf(event), event);
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
        if (held !== (event as PointerEvent).pointerId) return;
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

  /** @returns in pixels of the image */
  pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.base.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }

  /** Another image. */
  show(picture: ImageBitmap, fill: ImageBitmap) {
    this.picture = picture;
    this.layer.fill = fill;
    this.size = [picture.height, picture.width];
    const longer = Math.max(...this.size);
    this.element.style.aspectRatio = `${picture.width} / ${picture.height}`;
    this.element.style.maxWidth = `${(STAGE_SIDE * picture.width) / longer}px`;
    this.render();
  }

  draw(shown: Patches) {
    this.shown = shown;
    this.layer.draw(shown);
  }

  /** Everything anew, at the size that it has. */
  render() {
    const [width, height] = devicePixels(this.element);
    if (!this.picture || !width) return;
    Object.assign(this.base, { width, height });
    const context = this.base.getContext("2d") as CanvasRenderingContext2D;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, 0, 0, width, height);
    this.layer.resize(width, height, width / this.size[1]);
    this.draw(this.shown);
  }

  /** The window at a place that is pointed to elsewhere. */
  hint(centre: Point | null, window: Point) {
    this.ghost.hidden = !centre;
    if (!centre) return;
    const [left, top, right, bottom] = boxAt(centre, window);
    const [height, width] = this.size;
    layOver(this.ghost, { left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height });
  }

  /** Where the map lies, and how strong. */
  overlay(grid: Grid | null, opacity: number) {
    this.map.hidden = !grid || opacity === 0;
    this.map.style.opacity = String(opacity);
    if (grid) layOver(this.map, placeOn(grid, this.size));
  }

  offer(dropping: boolean, words: string = "Drop a picture to look at it") {
    this.drop.hidden = !dropping;
    setText(this.drop, words);
  }
}
