/** Wheel and pointer events of the confusion matrix. */
import { isFullyZoomed, isZoomed, type MatrixView } from "./matrix_geometry.ts";

const DRAG_DISTANCE = 4; // CSS pixels of movement after which a press is a drag
const MAX_WHEEL = 120; // CSS pixels per event
const LINE_HEIGHT = 16; // CSS pixels, if the wheel event counts lines

interface PointerTarget {
  getView: () => MatrixView;
  /** Return the position of a pointer in the matrix, in CSS pixels. */
  positionOf: (event: MouseEvent) => [x: number, y: number];
  zoom: (factor: number, point: [x: number, y: number]) => void;
  /** Move by CSS pixels. */
  pan: (x: number, y: number) => void;
  /** Called when the pointer moves; null: outside the matrix. */
  hover: (event: MouseEvent | null) => void;
  choose: (event: MouseEvent) => void;
}

export function listenToPointer(canvas: HTMLCanvasElement, target: PointerTarget) {
  /** Whether the pointer has moved since it entered. If not, the page was scrolled under it, and the wheel must not zoom. */
  let moved = false;
  let press: { x: number; y: number; dragged: boolean } | null = null;

  const onWheel = (event: WheelEvent) => {
    const pinch = event.ctrlKey || event.metaKey;
    const atLimit = event.deltaY > 0 ? !isZoomed(target.getView()) : isFullyZoomed(target.getView());
    if (!pinch && (!moved || atLimit)) return; // scroll the page
    event.preventDefault();
    const delta = Math.max(-MAX_WHEEL, Math.min(MAX_WHEEL, event.deltaY * (event.deltaMode === 1 ? LINE_HEIGHT : 1)));
    target.zoom(Math.exp(-delta * (pinch ? 0.01 : 0.0025)), target.positionOf(event));
    target.hover(event);
  };
  const onMove = (event: PointerEvent) => {
    if (event.movementX || event.movementY) moved = true;
    if (!press) {
      target.hover(event);
      return;
    }
    const [x, y] = [event.clientX - press.x, event.clientY - press.y];
    if (!press.dragged && Math.hypot(x, y) < DRAG_DISTANCE) return;
    press = { x: event.clientX, y: event.clientY, dragged: true };
    target.pan(x, y);
  };

  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    press = { x: event.clientX, y: event.clientY, dragged: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = press && !press.dragged;
    press = null;
    target.hover(event);
    if (clicked) target.choose(event);
  });
  canvas.addEventListener("pointercancel", () => {
    press = null;
  });
  canvas.addEventListener("pointerleave", () => {
    moved = false;
    if (!press) target.hover(null);
  });
  return { isDragging: () => press?.dragged ?? false };
}
