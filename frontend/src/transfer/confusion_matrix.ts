import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { grouped, percent } from "../ui/format.ts";
import {
  cellColour,
  isNearest,
  isZoomed,
  matrixPixels,
  panned,
  placeBeside,
  placeMeant,
  resized,
  showing,
  topOfMistakes,
  wholeMatrix,
  zoomed,
} from "./matrix_geometry.ts";
import { FLAT_FROM, drawMatrix, readLook } from "./matrix_drawing.ts";
import { confusedPairs, orderClasses, pairAt } from "./run_results.ts";
import type { RunView } from "./run_results.ts";
import type { Look } from "./matrix_drawing.ts";
import type { MatrixView } from "./matrix_geometry.ts";
import type { TransferState } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

const LARGEST_SIDE = 620; // CSS pixels of the cells' square
const LEAST_SIDE = 280; // below which scrolling is better than less
const ZOOM_STEP = 1.6; // of the zoom buttons
const DRAG_FROM = 4; // CSS pixels from which a press is no click
const MATRIX_ORDERS: Choice[] = [
  ["name", "By name", "Classes in the order of their names"],
  ["accuracy", "Worst first", "Classes in the order of their accuracy"],
];
const MATRIX_KEYS = "Arrow keys move from cell to cell, Enter shows a cell's photographs, plus and minus zoom, Escape leaves.";

/** What a cell holds, in words. */
export function cellWords(run: RunView, truth: number, prediction: number) {
  const { count, share } = pairAt(run, truth, prediction);
  const names = run.categories;
  const of = run.tests[truth] ? `${grouped(count)} of ${grouped(run.tests[truth])} (${percent(share)})` : "no tests";
  return `${names[truth]} → ${names[prediction]}: ${of}`;
}

/** The confusion matrix: wheel and buttons zoom, dragging pans, a click or Enter chooses a cell. */
export class ConfusionMatrix {
  set: (patch: Partial<TransferState>) => void;
  choose: (cell: [number, number]) => void;
  leave: () => void;
  run: RunView | null;
  order: number[];
  /** each class's place in the order */
  places: number[];
  orderName: string;
  top: number;
  view: MatrixView;
  gutters: { left: number; top: number };
  look: Look | null;
  /** a pixel a cell */
  cells: HTMLCanvasElement | null;
  pointed: [number, number] | null;
  selected: [number, number] | null;
  moved: boolean;
  press: { x: number; y: number; dragged: boolean } | null;
  frame: number;
  observer: ResizeObserver;
  canvas: HTMLCanvasElement | undefined;
  tip: HTMLElement | undefined;
  told: HTMLElement | undefined;
  probe: HTMLElement | undefined;
  orders: ReturnType<typeof createRadioGroup> | undefined;
  nearer: HTMLElement | undefined;
  farther: HTMLElement | undefined;
  whole: HTMLElement | undefined;
  legend: HTMLElement | undefined;
  room: HTMLElement | undefined;
  element: HTMLElement | undefined;

  constructor({
    set,
    choose,
    leave,
  }: {
    set: (patch: Partial<TransferState>) => void;
    /** shows a cell's photographs */
    choose: (cell: [number, number]) => void;
    /** takes the focus on Escape */
    leave: () => void;
  }) {
    this.set = set;
    this.choose = choose;
    this.leave = leave;
    this.run = null;
    this.order = [];
    this.places = [];
    this.orderName = "";
    this.top = 1;
    this.view = wholeMatrix(0, 0);
    this.gutters = { left: 0, top: 0 };
    this.look = null;
    this.cells = null;
    this.pointed = null;
    this.selected = null;
    this.moved = false; // the pointer, of its own, since it entered: a page that scrolls past is no wish to zoom
    this.press = null;
    this.frame = 0;
    this.build();
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.room);
  }

  build() {
    const place = { tabindex: 0, role: "application", "aria-roledescription": "confusion matrix", "data-testid": "confusion" };
    this.canvas = h("canvas", { class: "dwt-matrix", ...place });
    this.tip = h("div", { class: "dwt-tip", hidden: true, "data-testid": "confusion-tip" });
    this.told = h("div", { class: "dwt-told", "aria-live": "polite", "data-testid": "confusion-told" });
    this.probe = h("i", { class: "dwt-probe", "aria-hidden": "true" });
    this.orders = createRadioGroup({
      label: "Order of the classes",
      prefix: "order",
      choices: MATRIX_ORDERS,
      pick: (order) => this.set({ order }),
    });
    const button = (name: string, words: string, label: string, act: () => void) =>
      h(
        "button",
        {
          type: "button",
          class: "dwx-menu-button dwt-zoom",
          "data-testid": `zoom-${name}`,
          "aria-label": label,
          title: label,
          onclick: act,
        },
        words,
      );
    this.nearer = button("in", "+", "Zoom in (+)", () => this.zoom(ZOOM_STEP));
    this.farther = button("out", "−", "Zoom out (-)", () => this.zoom(1 / ZOOM_STEP));
    this.whole = button("whole", "Whole", "Show the whole matrix (0)", () => this.show(wholeMatrix(this.view.count, this.view.side)));
    this.legend = h("div", { class: "dwt-legend", "data-testid": "confusion-legend" });
    const tools = h(
      "div",
      { class: "dwt-tools" },
      this.orders.element,
      h("span", { class: "dwt-zooms" }, this.farther, this.nearer, this.whole),
      this.legend,
    );
    this.room = h("div", { class: "dwt-matrix-room" }, this.canvas, this.tip, this.probe, this.told);
    this.element = h("div", { class: "dwt-confusion" }, tools, this.room);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onPress(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerup", (event) => this.onRelease(event));
    canvas.addEventListener("pointercancel", () => (this.press = null));
    canvas.addEventListener("pointerleave", () => {
      this.moved = false;
      if (!this.press) this.point(null);
    });
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    // The theme's colours changed: they pass over to the canvas in a transition too short to see.
    canvas.addEventListener("transitionend", () => this.recolour());
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  update({ run, state }: { run: RunView; state: TransferState }) {
    const order = state.order === "accuracy" ? "accuracy" : "name";
    if (run !== this.run || order !== this.orderName) {
      const same = this.run?.categories.length === run.categories.length && order === this.orderName;
      this.run = run;
      this.orderName = order;
      this.order = orderClasses(run, order === "accuracy" ? "worst" : "name");
      this.order.forEach((one, at) => (this.places[one] = at));
      this.top = topOfMistakes(run);
      this.pointed = null;
      this.cells = null;
      this.canvas.setAttribute(
        "aria-label",
        `Confusion matrix of ${run.categories.length} classes: rows are truths, columns predictions. ${MATRIX_KEYS}`,
      );
      if (!same) this.view = wholeMatrix(run.categories.length, this.view.side);
      this.measure();
    }
    this.orders.show(order);
    const inside = state.cell?.every((one: number) => one < run.categories.length);
    const cell = inside ? (state.cell.map((one: number) => this.places[one]) as [number, number]) : null;
    if (String(cell) === String(this.selected)) return;
    this.selected = cell;
    if (cell) this.view = showing(this.view, ...cell);
    this.draw();
  }

  /** How large it may be, and how much of that the names take. */
  measure() {
    const { run } = this;
    const width = this.room.clientWidth;
    if (!run || !width) return;
    const context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
    context.font = `12px ${this.font()}`;
    const longest = Math.max(48, ...run.categories.map((name) => context.measureText(name).width));
    const left = Math.min(Math.ceil(longest) + 14, Math.max(76, Math.round(width * 0.24)), 170);
    const upright = Math.min(Math.ceil(longest) + 14, 84);
    const side = Math.max(80, Math.min(LARGEST_SIDE, width - left - 1, Math.max(LEAST_SIDE, this.heightInSight() - upright)));
    const flat = side / run.categories.length >= FLAT_FROM;
    this.gutters = { left, top: flat ? 34 : upright };
    this.view = resized(this.view, side);
    this.draw();
  }

  /** CSS pixels from the matrix's top to the end of the pane that scrolls around it; without end where the whole page does. */
  heightInSight() {
    const pane = this.room.closest(".dwt-main > section");
    if (!pane || getComputedStyle(pane).overflowY === "visible") return Infinity;
    const above = this.room.getBoundingClientRect().top - pane.getBoundingClientRect().top + pane.scrollTop;
    return pane.clientHeight - above - 12;
  }

  font() {
    return getComputedStyle(this.canvas).fontFamily;
  }

  recolour() {
    this.look = null;
    this.cells = null;
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { run, canvas, view, gutters } = this;
    if (!run || !this.room.clientWidth || !view.side) return;
    const started = performance.now();
    const look = (this.look ??= readLook(this.probe));
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [gutters.left + view.side, gutters.top + view.side];
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    this.cells ??= this.paintCells(run, look);
    const { cells, order, top, pointed, selected } = this;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    drawMatrix(context, { view, gutters, cells, run, order, top, look, pointed, selected, font: this.font() }, ratio);
    this.showTools(run);
    canvas.dispatchEvent(
      new CustomEvent("deconvwidgets:painted", {
        bubbles: true,
        detail: { kind: "matrix", size: view.size, ms: performance.now() - started },
      }),
    );
  }

  paintCells(run: RunView, look: Look) {
    const count = run.categories.length;
    const cells = h("canvas", { width: count, height: count });
    cells.getContext("2d")?.putImageData(new ImageData(matrixPixels(run, this.order, look.palette, this.top), count, count), 0, 0);
    this.legend.replaceChildren(
      legendScale("right", "100 %", "Share of a class's tests that were right", (at) => cellColour(look.palette, true, at, 1)),
      legendScale(
        "taken for another",
        percent(this.top),
        "Share of a class's tests that were taken for one other class, on a root scale",
        (at) => cellColour(look.palette, false, at, 1),
      ),
    );
    return cells;
  }

  showTools(run: RunView) {
    (this.nearer as HTMLButtonElement).disabled = isNearest(this.view);
    for (const button of [this.farther, this.whole]) (button as HTMLButtonElement).disabled = !isZoomed(this.view);
    const { pointed, view, gutters } = this;
    this.tip.hidden = !pointed;
    this.canvas.style.cursor = this.press?.dragged ? "grabbing" : pointed ? "pointer" : "default";
    if (!pointed) return;
    setText(this.tip, cellWords(run, this.order[pointed[0]], this.order[pointed[1]]));
    const x = gutters.left + (pointed[1] + 0.5 - view.left) * view.size;
    const y = gutters.top + (pointed[0] + 0.5 - view.top) * view.size;
    const half = this.tip.offsetWidth / 2;
    const least = Math.max(5, view.size / 2) + 7;
    const above = y - least - this.tip.offsetHeight > gutters.top - 4;
    this.tip.style.left = `${Math.min(Math.max(half + 2, x), Math.max(half + 2, gutters.left + view.side - half))}px`;
    this.tip.style.top = `${above ? y - least - this.tip.offsetHeight : y + least}px`;
  }

  show(view: MatrixView) {
    this.view = view;
    this.draw();
  }

  zoom(factor: number, x?: number, y?: number) {
    const { side, size, left, top } = this.view;
    const about = this.pointed ?? this.selected;
    // A cell out of sight is no place to zoom into.
    const at = about && [(about[1] + 0.5 - left) * size, (about[0] + 0.5 - top) * size];
    const inside = at?.every((one) => one >= 0 && one <= side);
    const [midX, midY] = at && inside ? at : [side / 2, side / 2];
    this.show(zoomed(this.view, factor, x ?? midX, y ?? midY));
  }

  /** Where a pointer is, in the square of cells. */
  at(event: MouseEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - this.gutters.left, event.clientY - box.top - this.gutters.top];
  }

  meant(event: MouseEvent) {
    const { run, order, view } = this;
    if (!run) return null;
    const holds = (row: number, column: number) => run.confusion[order[row] * order.length + order[column]] > 0;
    return placeMeant(view, ...this.at(event), holds);
  }

  point(place: [number, number] | null) {
    if (String(place) === String(this.pointed)) return;
    this.pointed = place;
    this.draw();
  }

  pick(place: [number, number]) {
    this.choose([this.order[place[0]], this.order[place[1]]]);
  }

  onWheel(event: WheelEvent) {
    const pinch = event.ctrlKey || event.metaKey;
    const end = event.deltaY > 0 ? !isZoomed(this.view) : isNearest(this.view);
    if ((!this.moved && !pinch) || (end && !pinch)) return; // the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * (pinch ? 0.01 : 0.0025)), ...this.at(event));
    this.point(this.meant(event));
  }

  onPress(event: PointerEvent) {
    if (event.button !== 0) return;
    this.press = { x: event.clientX, y: event.clientY, dragged: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  onMove(event: PointerEvent) {
    if (event.movementX || event.movementY) this.moved = true;
    const { press } = this;
    if (!press) {
      this.point(this.meant(event));
      return;
    }
    const [x, y] = [event.clientX - press.x, event.clientY - press.y];
    if (!press.dragged && Math.hypot(x, y) < DRAG_FROM) return;
    this.press = { x: event.clientX, y: event.clientY, dragged: true };
    this.pointed = null;
    this.show(panned(this.view, x, y));
  }

  onRelease(event: PointerEvent) {
    const { press } = this;
    this.press = null;
    const place = this.meant(event);
    this.point(place);
    this.draw();
    if (press && !press.dragged && place) this.pick(place);
  }

  onKey(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.act(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Where one begins: at what was confused most. */
  worst(run: RunView): [number, number] {
    const [pair] = confusedPairs(run, 1);
    return pair ? [this.places[pair.truth], this.places[pair.prediction]] : [0, 0];
  }

  /** @returns whether it was for the matrix */
  act(key: string): boolean {
    if (!this.run) return false;
    const place = this.pointed ?? this.selected ?? this.worst(this.run);
    const next = placeBeside(key, place, this.order.length);
    if (next) {
      this.pointed = this.pointed || this.selected ? next : place; // the first press shows where one is
      this.view = showing(this.view, ...this.pointed);
      setText(this.told, cellWords(this.run, this.order[this.pointed[0]], this.order[this.pointed[1]]));
      this.draw();
    } else if (key === "Enter" || key === " ") this.pick(place);
    else if (key === "+" || key === "=") this.zoom(ZOOM_STEP);
    else if (key === "-" || key === "_") this.zoom(1 / ZOOM_STEP);
    else if (key === "0") this.show(wholeMatrix(this.view.count, this.view.side));
    else if (key === "Escape") this.leave();
    else return false;
    return true;
  }
}

/** A scale as it is drawn, from next to nothing to its end. */
function legendScale(words: string, end: string, hint: string, colour: (at: number) => number[]) {
  const stops = [0.001, 0.05, 0.15, 0.3, 0.5, 0.75, 1].map((at) => `rgb(${colour(at).join(" ")}) ${100 * at}%`);
  const scale = h("i", { class: "dwt-scale", style: `background:linear-gradient(90deg, ${stops.join(", ")})` });
  return h("span", { title: hint }, `${words} `, scale, ` ${end}`);
}
