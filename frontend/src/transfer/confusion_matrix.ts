import { context2d, h, setText } from "../ui/dom.ts";
import { formatInteger, formatPercent } from "../ui/format.ts";
import { isNotebookShortcut } from "../ui/keyboard.ts";
import { matrixPixels, mistakeScale } from "./matrix_colours.ts";
import { drawMatrix, FLAT_NAMES_FROM, type Look, readLook } from "./matrix_drawing.ts";
import { type MatrixView, type Place, pan, placeBeside, placeNear, resize, scrollTo, wholeMatrix, zoomAt } from "./matrix_geometry.ts";
import { listenToPointer } from "./matrix_pointer.ts";
import { createMatrixTools } from "./matrix_tools.ts";
import { categoryOf, confusedPairs, countTests, orderClasses, pairAt, type RunResults } from "./run_results.ts";
import type { Cell, MatrixOrder, TransferState } from "./wire.ts";

const MAX_SIDE = 620; // CSS pixels of the cells' square
const MIN_SIDE = 280; // below that, scrolling is better
const ZOOM_STEP = 1.6; // of the zoom buttons
const KEYS = "Arrow keys move between cells, Enter shows a cell's photographs, plus and minus zoom, 0 shows all, Escape leaves.";

/** Describe a cell. */
export function describeCell(run: RunResults, truth: number, prediction: number): string {
  const { count, share } = pairAt(run, truth, prediction);
  const tests = countTests(run, truth);
  const numbers = tests ? `${formatInteger(count)} of ${formatInteger(tests)} (${formatPercent(share)})` : "no tests";
  return `${categoryOf(run, truth)} → ${categoryOf(run, prediction)}: ${numbers}`;
}

interface MatrixOptions {
  set: (patch: Partial<TransferState>) => void;
  /** Show a cell's photographs. */
  choose: (cell: Cell) => void;
  /** Take the focus on Escape. */
  leave: () => void;
}

/** The confusion matrix: wheel and buttons zoom, dragging pans, a click or Enter chooses a cell. */
export class ConfusionMatrix {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", {
    class: "dwt-matrix",
    tabindex: 0,
    role: "application",
    "aria-roledescription": "confusion matrix",
    "data-testid": "confusion",
  });
  private readonly tip = h("div", { class: "dwt-tip", hidden: true, "data-testid": "confusion-tip" });
  private readonly screenReaderText = h("div", { class: "dwx-spoken", "aria-live": "polite", "data-testid": "confusion-told" });
  private readonly probe = h("i", { class: "dwt-probe", "aria-hidden": "true" });
  private readonly room = h("div", { class: "dwt-matrix-room" }, this.canvas, this.tip, this.probe, this.screenReaderText);
  private readonly tools: ReturnType<typeof createMatrixTools>;
  private readonly observer = new ResizeObserver(() => this.measure());
  private run: RunResults | null = null;
  private orderName: MatrixOrder | null = null;
  private order: number[] = [];
  /** Of each class in the order. */
  private places: number[] = [];
  private top = 1;
  private view = wholeMatrix(0, 0);
  private gutters = { left: 0, top: 0 };
  private look: Look | null = null;
  private cells: HTMLCanvasElement | null = null;
  private pointed: Place | null = null;
  private selected: Place | null = null;
  private pointer: ReturnType<typeof listenToPointer> | null = null;
  private frame = 0;

  constructor(private readonly options: MatrixOptions) {
    this.tools = createMatrixTools({
      order: (order) => options.set({ order }),
      zoomIn: () => this.zoom(ZOOM_STEP),
      zoomOut: () => this.zoom(1 / ZOOM_STEP),
      showAll: () => this.showAll(),
    });
    this.element = h("div", { class: "dwt-confusion" }, this.tools.element, this.room);
    this.listen();
    this.observer.observe(this.room);
  }

  close(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  update(run: RunResults, state: TransferState): void {
    if (run !== this.run || state.order !== this.orderName) this.show(run, state.order);
    this.tools.showOrder(state.order);
    const place = state.cell ? this.placeOf(state.cell) : null;
    if (String(place) === String(this.selected)) return;
    this.selected = place;
    if (place) this.view = scrollTo(this.view, place);
    this.requestDraw();
  }

  private show(run: RunResults, order: MatrixOrder): void {
    const keepsView = this.run?.categories.length === run.categories.length && order === this.orderName;
    this.run = run;
    this.orderName = order;
    this.order = orderClasses(run, order === "accuracy" ? "worst" : "name");
    this.order.forEach((label, place) => {
      this.places[label] = place;
    });
    this.top = mistakeScale(run);
    this.pointed = null;
    this.cells = null;
    const label = `Confusion matrix of ${run.categories.length} classes: rows are true classes, columns predicted ones. ${KEYS}`;
    this.canvas.setAttribute("aria-label", label);
    if (!keepsView) this.view = wholeMatrix(run.categories.length, this.view.side);
    this.measure();
  }

  private placeOf([truth, prediction]: Cell): Place | null {
    const [row, column] = [this.places[truth], this.places[prediction]];
    const count = this.order.length;
    return row === undefined || column === undefined || truth >= count || prediction >= count ? null : [row, column];
  }

  private cellOf([row, column]: Place): Cell {
    return [this.order[row] ?? 0, this.order[column] ?? 0];
  }

  private listen(): void {
    const { canvas } = this;
    this.pointer = listenToPointer(canvas, {
      getView: () => this.view,
      positionOf: (event) => this.pointerAt(event),
      zoom: (factor, point) => this.zoom(factor, point),
      pan: (x, y) => {
        this.pointed = null;
        this.setView(pan(this.view, x, y));
      },
      point: (event) => this.point(event && this.placeUnder(event)),
      choose: (event) => {
        const place = this.placeUnder(event);
        if (place) this.options.choose(this.cellOf(place));
      },
    });
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => {
      if (isNotebookShortcut(event) || !this.act(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    // The theme's colours changed: the stylesheet gives the canvas a transition too short to see.
    canvas.addEventListener("transitionend", () => {
      this.look = null;
      this.cells = null;
      this.requestDraw();
    });
  }

  /** Find how large the matrix may be, and how much of that the names take. */
  private measure(): void {
    const { run } = this;
    const width = this.room.clientWidth;
    if (!run || !width) return;
    const context = context2d(this.canvas);
    context.font = `12px ${this.fontFamily}`;
    const longest = Math.max(48, ...run.categories.map((name) => context.measureText(name).width));
    const left = Math.min(Math.ceil(longest) + 14, Math.max(80, Math.round(width * 0.24)), 170);
    const upright = Math.min(Math.ceil(longest) + 14, 84);
    const side = Math.max(80, Math.min(MAX_SIDE, width - left - 1, Math.max(MIN_SIDE, this.visibleHeight() - upright)));
    this.gutters = { left, top: side / run.categories.length >= FLAT_NAMES_FROM ? 34 : upright };
    this.view = resize(this.view, side);
    this.requestDraw();
  }

  /** Return the CSS pixels from the matrix's top to the end of the pane that scrolls around it; infinite where the page scrolls. */
  private visibleHeight(): number {
    const pane = this.room.closest(".dwt-main > section");
    if (!pane || getComputedStyle(pane).overflowY === "visible") return Number.POSITIVE_INFINITY;
    const above = this.room.getBoundingClientRect().top - pane.getBoundingClientRect().top + pane.scrollTop;
    return pane.clientHeight - above - 12;
  }

  private get fontFamily(): string {
    return getComputedStyle(this.canvas).fontFamily;
  }

  private requestDraw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const { run, canvas, view, gutters } = this;
    if (!run || !this.room.clientWidth || !view.side) return;
    const started = performance.now();
    this.look ??= readLook(this.probe);
    this.cells ??= this.drawCells(run, this.look);
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [gutters.left + view.side, gutters.top + view.side];
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const { cells, order, top, look, pointed, selected, fontFamily } = this;
    drawMatrix(context2d(canvas), { view, gutters, cells, run, order, top, look, pointed, selected, fontFamily }, ratio);
    this.drawTools(run);
    const detail = { kind: "matrix", size: view.size, ms: performance.now() - started };
    canvas.dispatchEvent(new CustomEvent("deconvwidgets:painted", { bubbles: true, detail }));
  }

  /** Return a canvas with a pixel for each cell, and show the scales. */
  private drawCells(run: RunResults, { palette }: Look): HTMLCanvasElement {
    const count = run.categories.length;
    const cells = h("canvas", { width: count, height: count });
    context2d(cells).putImageData(new ImageData(matrixPixels(run, this.order, palette, this.top), count, count), 0, 0);
    this.tools.showScales(palette, this.top);
    return cells;
  }

  private drawTools(run: RunResults): void {
    const { pointed, view, gutters, tip } = this;
    this.tools.showZoom(view);
    tip.hidden = !pointed;
    this.canvas.style.cursor = this.pointer?.isDragging() ? "grabbing" : pointed ? "pointer" : "default";
    if (!pointed) return;
    setText(tip, describeCell(run, ...this.cellOf(pointed)));
    const x = gutters.left + (pointed[1] + 0.5 - view.left) * view.size;
    const y = gutters.top + (pointed[0] + 0.5 - view.top) * view.size;
    const half = tip.offsetWidth / 2;
    const gap = Math.max(5, view.size / 2) + 7;
    const above = y - gap - tip.offsetHeight > gutters.top - 4;
    tip.style.left = `${Math.min(Math.max(half + 2, x), Math.max(half + 2, gutters.left + view.side - half))}px`;
    tip.style.top = `${above ? y - gap - tip.offsetHeight : y + gap}px`;
  }

  private setView(view: MatrixView): void {
    this.view = view;
    this.requestDraw();
  }

  private showAll(): void {
    this.setView(wholeMatrix(this.view.count, this.view.side));
  }

  /** Zoom about a point, the pointed or chosen cell where it is visible, or the middle. */
  private zoom(factor: number, point?: Place): void {
    const { side, size, left, top } = this.view;
    const about = this.pointed ?? this.selected;
    const cell: [number, number] | null = about && [(about[1] + 0.5 - left) * size, (about[0] + 0.5 - top) * size];
    const isVisible = cell?.every((at) => at >= 0 && at <= side);
    const [x, y] = point ?? (cell && isVisible ? cell : [side / 2, side / 2]);
    this.setView(zoomAt(this.view, factor, x, y));
  }

  /** Return where a pointer is in the square of cells, in CSS pixels. */
  private pointerAt(event: MouseEvent): [x: number, y: number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - this.gutters.left, event.clientY - box.top - this.gutters.top];
  }

  private placeUnder(event: MouseEvent): Place | null {
    const { run } = this;
    if (!run) return null;
    const isFilled = (row: number, column: number) => pairAt(run, ...this.cellOf([row, column])).count > 0;
    return placeNear(this.view, ...this.pointerAt(event), isFilled);
  }

  private point(place: Place | null): void {
    if (String(place) === String(this.pointed)) return;
    this.pointed = place;
    this.requestDraw();
  }

  /** Return where the keyboard begins: at the most frequent mistake. */
  private firstPlace(run: RunResults): Place {
    const [pair] = confusedPairs(run, 1);
    return (pair && this.placeOf([pair.truth, pair.prediction])) ?? [0, 0];
  }

  /** Take a key. Return whether it was used. */
  private act(key: string): boolean {
    const { run } = this;
    if (!run) return false;
    const place = this.pointed ?? this.selected ?? this.firstPlace(run);
    const next = placeBeside(key, place, this.order.length);
    if (next) {
      this.pointed = this.pointed || this.selected ? next : place; // the first press shows where the keyboard is
      this.view = scrollTo(this.view, this.pointed);
      setText(this.screenReaderText, describeCell(run, ...this.cellOf(this.pointed)));
      this.requestDraw();
    } else if (key === "Enter" || key === " ") this.options.choose(this.cellOf(place));
    else if (key === "+" || key === "=") this.zoom(ZOOM_STEP);
    else if (key === "-" || key === "_") this.zoom(1 / ZOOM_STEP);
    else if (key === "0") this.showAll();
    else if (key === "Escape") this.options.leave();
    else return false;
    return true;
  }
}
