import { context2d, devicePixels, h, setText } from "../ui/dom.ts";
import { boxAt, type Point } from "./geometry.ts";
import { type MapGrid, mapBox, type RelativeBox } from "./map_grid.ts";
import { type Patches, PatchLayer } from "./patch_layer.ts";

const SIDE = 400; // CSS pixels of the longer side
const DROP_HINT = "Drop an image to open it";
const LABEL = "Image with patches. Arrow keys move the patch, square brackets change its size, Delete removes it, A adds a patch.";

/** Set the box of an element as fractions of its parent. */
export function setRelativeBox(element: HTMLElement, box: RelativeBox): void {
  for (const [name, fraction] of Object.entries(box)) element.style.setProperty(name, `${100 * fraction}%`);
}

interface StageListeners {
  press: (point: Point, event: PointerEvent) => void;
  /** Called once per frame. */
  drag: (point: Point, event: PointerEvent) => void;
  /** Called on each pointer movement, before the next frame, if the browser supports it. */
  predict: (point: Point, event: PointerEvent) => void;
  release: () => void;
  hover: (point: Point | null) => void;
}

/** The image with its patches and the overlay. */
export class Stage {
  readonly element: HTMLElement;
  /** The canvas of the overlay. */
  readonly map = h("canvas", { class: "dwo-map-canvas", "data-testid": "overlay-map" });
  /** The size of the image. */
  size: Point = [224, 224];
  private readonly base = h("canvas", { class: "dwo-layer" });
  private readonly layer = new PatchLayer();
  private readonly windowOutline = h("div", { class: "dwo-window-outline", hidden: true, "data-testid": "ghost" });
  private readonly dropHint = h("div", { class: "dwo-drop-hint", hidden: true, "data-testid": "drop-hint" }, DROP_HINT);
  private readonly observer = new ResizeObserver(() => this.render());
  private image: ImageBitmap | null = null;
  private drawnPatches: Patches = { patches: [], window: [1, 1], active: 0 };

  constructor(private readonly listeners: StageListeners) {
    const properties = {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "image editor",
      "aria-label": LABEL,
      "data-testid": "stage",
    };
    const parts = [this.base, this.map, this.layer.canvas, this.windowOutline, this.dropHint];
    this.element = h("div", { class: "dwo-stage", ...properties }, ...parts);
    this.listen();
    this.observer.observe(this.element);
  }

  close(): void {
    this.observer.disconnect();
  }

  /** Show an image. */
  show(image: ImageBitmap, fill: ImageBitmap): void {
    this.image = image;
    this.layer.fill = fill;
    this.size = [image.height, image.width];
    this.element.style.aspectRatio = `${image.width} / ${image.height}`;
    this.element.style.maxWidth = `${(SIDE * image.width) / Math.max(...this.size)}px`;
    this.render();
  }

  draw(patches: Patches): void {
    this.drawnPatches = patches;
    this.layer.draw(patches);
  }

  /** Outline the window of the hovered cell. */
  outline(centre: Point | null, window: Point): void {
    this.windowOutline.hidden = !centre;
    if (!centre) return;
    const [left, top, right, bottom] = boxAt(centre, window);
    const [height, width] = this.size;
    setRelativeBox(this.windowOutline, {
      left: left / width,
      top: top / height,
      width: (right - left) / width,
      height: (bottom - top) / height,
    });
  }

  /** Set the box and the opacity of the overlay. */
  overlay(grid: MapGrid | null, opacity: number): void {
    this.map.hidden = !grid || opacity === 0;
    this.map.style.opacity = String(opacity);
    if (grid) setRelativeBox(this.map, mapBox(grid, this.size));
  }

  /** Show or hide the hint that a dragged file can be dropped. */
  showDropHint(shown: boolean): void {
    this.dropHint.hidden = !shown;
    setText(this.dropHint, DROP_HINT);
  }

  private listen(): void {
    const { element, listeners } = this;
    let dragPointer: number | null = null; // the id of the pointer that drags the patch
    const predict = (event: Event) => {
      if (event instanceof PointerEvent && dragPointer === event.pointerId) listeners.predict(this.pointOf(event), event);
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || dragPointer !== null) return;
      dragPointer = event.pointerId;
      element.setPointerCapture(event.pointerId);
      element.addEventListener("pointerrawupdate", predict);
      listeners.hover(null);
      listeners.press(this.pointOf(event), event);
    });
    element.addEventListener("pointermove", (event) => {
      if (dragPointer === event.pointerId) listeners.drag(this.pointOf(event), event);
      else if (dragPointer === null) listeners.hover(this.pointOf(event));
    });
    const release = (event: PointerEvent) => {
      if (dragPointer !== event.pointerId) return;
      dragPointer = null;
      element.removeEventListener("pointerrawupdate", predict);
      listeners.release();
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"] as const) element.addEventListener(name, release);
    element.addEventListener("pointerleave", () => listeners.hover(null));
  }

  /** Return the position of a pointer in pixels of the image. */
  private pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.base.getBoundingClientRect();
    return [((clientY - top) / height) * this.size[0], ((clientX - left) / width) * this.size[1]];
  }

  /** Draw everything at the current size of the element. */
  private render(): void {
    const [width, height] = devicePixels(this.element);
    if (!this.image || !width) return;
    Object.assign(this.base, { width, height });
    const context = context2d(this.base);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0, width, height);
    this.layer.resize(width, height, width / this.size[1]);
    this.draw(this.drawnPatches);
  }
}
