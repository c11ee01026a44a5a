/** Wheel, drags and clicks on the confusion matrix. */
import { isFullyZoomed, isZoomed, type MatrixView } from "./matrix_geometry.ts";

const DRAG_DISTANCE = 4; // CSS pixels from which a press is no click
const MAX_WHEEL = 120; // of one event
const LINE_HEIGHT = 16; // CSS pixels, where the wheel counts lines

interface PointerTarget {
  getView: () => MatrixView;
  /** Return where a pointer is in the matrix, in CSS pixels. */
  positionOf: (event: MouseEvent) => [x: number, y: number];
  zoom: (factor: number, point: [x: number, y: number]) => void;
  /** Move by CSS pixels. */
  pan: (x: number, y: number) => void;
  /** The pointer is at a cell; null: at none. */
  point: (event: MouseEvent | null) => void;
  choose: (event: MouseEvent) => void;
}

export function listenToPointer(canvas: HTMLCanvasElement, target: PointerTarget) {
  /** Whether the pointer itself has moved since it entered: a page that scrolls past must not zoom. */
  let moved = false;
  let press: { x: number; y: number; dragged: boolean } | null = null;

  const onWheel = (event: WheelEvent) => {
    const pinch = event.ctrlKey || event.metaKey;
    const atEnd = event.deltaY > 0 ? !isZoomed(target.getView()) : isFullyZoomed(target.getView());
    if (!pinch && (!moved || atEnd)) return; // the page scrolls
    event.preventDefault();
    const delta = Math.max(-MAX_WHEEL, Math.min(MAX_WHEEL, event.deltaY * (event.deltaMode === 1 ? LINE_HEIGHT : 1)));
    target.zoom(Math.exp(-delta * (pinch ? 0.01 : 0.0025)), target.positionOf(event));
    target.point(event);
  };
  const onMove = (event: PointerEvent) => {
    if (event.movementX || event.movementY) moved = true;
    if (!press) {
      target.point(event);
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
    target.point(event);
    if (clicked) target.choose(event);
  });
  canvas.addEventListener("pointercancel", () => {
    press = null;
  });
  canvas.addEventListener("pointerleave", () => {
    moved = false;
    if (!press) target.point(null);
  });
  return { isDragging: () => press?.dragged ?? false };
}
