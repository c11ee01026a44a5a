import { context2d, h, scrollingPane, setText } from "../ui/dom.ts";
import { isNotebookShortcut } from "../ui/keyboard.ts";
import { ClassOrder } from "./class_order.ts";
import {
  type Cell,
  type ClassResults,
  type ClassViewState,
  confusedPairs,
  describeCell,
  type MatrixOrder,
  orderClasses,
  pairAt,
} from "./class_results.ts";
import { errorScaleMax, matrixPixels } from "./matrix_colours.ts";
import { drawMatrix, type MatrixTheme, MIN_SIZE_HORIZONTAL_NAMES, readTheme } from "./matrix_drawing.ts";
import {
  type MatrixView,
  nearestPosition,
  nextPosition,
  type Position,
  pan,
  resize,
  scrollTo,
  wholeMatrix,
  zoomAt,
} from "./matrix_geometry.ts";
import { listenToPointer } from "./matrix_pointer.ts";
import { createMatrixTools } from "./matrix_tools.ts";
import { MatrixTooltip } from "./matrix_tooltip.ts";

const MAX_SIDE = 620; // CSS pixels of the square of cells
const MIN_SIDE = 280; // CSS pixels; smaller panes scroll
const ZOOM_FACTOR = 1.6; // of buttons and keys
const KEYS = "Arrow keys move between cells, Enter shows a cell's photographs, plus and minus zoom, 0 shows all, Escape leaves.";

interface MatrixOptions {
  set: (patch: Partial<ClassViewState>) => void;
  /** Select a cell to show its photographs. */
  choose: (cell: Cell) => void;
  /** Called on Escape, to move the focus. */
  leave: () => void;
}

/** The confusion matrix. The wheel and buttons zoom, dragging pans, a click or Enter selects a cell. */
export class ConfusionMatrix {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", {
    class: "dwc-matrix",
    tabindex: 0,
    role: "application",
    "aria-roledescription": "confusion matrix",
    "data-testid": "confusion",
  });
  private readonly tooltip = new MatrixTooltip();
  private readonly liveRegion = h("div", { class: "dwx-screen-reader", "aria-live": "polite", "data-testid": "confusion-told" });
  private readonly probe = h("i", { class: "dwc-probe", "aria-hidden": "true" });
  private readonly container = h("div", { class: "dwc-matrix-container" }, this.canvas, this.tooltip.element, this.probe, this.liveRegion);
  private readonly tools: ReturnType<typeof createMatrixTools>;
  private readonly observer = new ResizeObserver(() => this.measure());
  private run: ClassResults | null = null;
  private sortOrder: MatrixOrder | null = null;
  private order = new ClassOrder([]);
  private scaleMax = 1;
  private view = wholeMatrix(0, 0);
  private gutters = { left: 0, top: 0 };
  private theme: MatrixTheme | null = null;
  private themeKey = "";
  private cells: HTMLCanvasElement | null = null;
  private hovered: Position | null = null;
  private selected: Position | null = null;
  private pointer: ReturnType<typeof listenToPointer> | null = null;
  private frame = 0;

  constructor(private readonly options: MatrixOptions) {
    this.tools = createMatrixTools({
      order: (order) => options.set({ order }),
      zoomIn: () => this.zoom(ZOOM_FACTOR),
      zoomOut: () => this.zoom(1 / ZOOM_FACTOR),
      showAll: () => this.showAll(),
    });
    this.element = h("div", { class: "dwc-confusion" }, this.tools.element, this.container);
    this.listen();
    this.observer.observe(this.container);
  }

  close(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  update(run: ClassResults, state: ClassViewState): void {
    if (run !== this.run || state.order !== this.sortOrder) this.show(run, state.order);
    this.tools.showOrder(state.order);
    const position = state.cell ? this.order.positionOf(state.cell) : null;
    if (String(position) === String(this.selected)) return;
    this.selected = position;
    if (position) this.view = scrollTo(this.view, position);
    this.requestDraw();
  }

  private show(run: ClassResults, order: MatrixOrder): void {
    const keepsView = this.run?.categories.length === run.categories.length && order === this.sortOrder;
    this.run = run;
    this.sortOrder = order;
    this.order = new ClassOrder(orderClasses(run, order === "accuracy" ? "worst" : "name"));
    this.scaleMax = errorScaleMax(run);
    this.hovered = null;
    this.cells = null;
    const label = `Confusion matrix of ${run.categories.length} classes: rows are true classes, columns are predicted classes. ${KEYS}`;
    this.canvas.setAttribute("aria-label", label);
    if (!keepsView) this.view = wholeMatrix(run.categories.length, this.view.side);
    this.measure();
  }

  private listen(): void {
    const { canvas } = this;
    this.pointer = listenToPointer(canvas, {
      getView: () => this.view,
      positionOf: (event) => this.pointerAt(event),
      zoom: (factor, point) => this.zoom(factor, point),
      pan: (x, y) => {
        this.hovered = null;
        this.setView(pan(this.view, x, y));
      },
      hover: (event) => this.hover(event && this.positionAtPointer(event)),
      choose: (event) => {
        const position = this.positionAtPointer(event);
        if (position) this.options.choose(this.order.cellAt(position));
      },
    });
    canvas.addEventListener("blur", () => this.hover(null));
    canvas.addEventListener("keydown", (event) => {
      if (isNotebookShortcut(event) || !this.handleKey(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    // The theme has changed: the stylesheet defines an imperceptibly short colour transition on the canvas.
    canvas.addEventListener("transitionend", () => this.requestDraw());
  }

  /** Compute the size of the matrix and of the gutters for class names. */
  private measure(): void {
    const { run } = this;
    const width = this.container.clientWidth;
    if (!run || !width) return;
    const context = context2d(this.canvas);
    context.font = `12px ${this.fontFamily}`;
    const longest = Math.max(48, ...run.categories.map((name) => context.measureText(name).width));
    const left = Math.min(Math.ceil(longest) + 14, Math.max(80, Math.round(width * 0.24)), 170);
    const verticalNamesHeight = Math.min(Math.ceil(longest) + 14, 84);
    const side = Math.max(80, Math.min(MAX_SIDE, width - left - 1, Math.max(MIN_SIDE, this.visibleHeight() - verticalNamesHeight)));
    this.gutters = { left, top: side / run.categories.length >= MIN_SIZE_HORIZONTAL_NAMES ? 34 : verticalNamesHeight };
    this.view = resize(this.view, side);
    const [across, down] = [left + side, this.gutters.top + side];
    Object.assign(this.canvas.style, { width: `${across}px`, height: `${down}px` }); // now: what is below may be scrolled into view
    this.requestDraw();
  }

  /** Return the height in CSS pixels from the top of the matrix to the bottom of the scrolling pane; infinite if the page scrolls. */
  private visibleHeight(): number {
    const pane = scrollingPane(this.container);
    if (!pane) return Number.POSITIVE_INFINITY;
    const above = this.container.getBoundingClientRect().top - pane.getBoundingClientRect().top + pane.scrollTop;
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
    if (!run || !this.container.clientWidth || !view.side) return;
    const started = performance.now();
    this.checkTheme();
    this.theme ??= readTheme(this.probe);
    this.cells ??= this.drawCells(run, this.theme);
    const ratio = window.devicePixelRatio || 1;
    const [across, down] = [gutters.left, gutters.top].map((gutter) => Math.round((gutter + view.side) * ratio));
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const { cells, scaleMax, theme, hovered, selected, fontFamily } = this;
    const order = this.order.labels;
    drawMatrix(context2d(canvas), { view, gutters, cells, run, order, scaleMax, theme, hovered, selected, fontFamily }, ratio);
    this.drawTools(run);
    const detail = { kind: "matrix", size: view.size, ms: performance.now() - started };
    canvas.dispatchEvent(new CustomEvent("deconvwidgets:painted", { bubbles: true, detail }));
  }

  /** Forget the colours if the theme has changed since they were read, which no event tells while the matrix is hidden. */
  private checkTheme(): void {
    const { color, backgroundColor } = getComputedStyle(this.canvas);
    const key = `${color} ${backgroundColor}`;
    if (key === this.themeKey) return;
    this.themeKey = key;
    this.theme = null;
    this.cells = null;
  }

  /** Return a canvas with one pixel per cell, and show the colour scales. */
  private drawCells(run: ClassResults, { palette }: MatrixTheme): HTMLCanvasElement {
    const count = run.categories.length;
    const cells = h("canvas", { width: count, height: count });
    context2d(cells).putImageData(new ImageData(matrixPixels(run, this.order.labels, palette, this.scaleMax), count, count), 0, 0);
    this.tools.showScales(palette, this.scaleMax);
    return cells;
  }

  private drawTools(run: ClassResults): void {
    const { hovered, view, gutters } = this;
    this.tools.showZoom(view);
    this.canvas.style.cursor = this.pointer?.isDragging() ? "grabbing" : hovered ? "pointer" : "default";
    if (hovered) this.tooltip.show(describeCell(run, ...this.order.cellAt(hovered)), hovered, view, gutters);
    else this.tooltip.hide();
  }

  private setView(view: MatrixView): void {
    this.view = view;
    this.requestDraw();
  }

  private showAll(): void {
    this.setView(wholeMatrix(this.view.count, this.view.side));
  }

  /** Zoom around a point; by default around the hovered or selected cell if it is visible, else around the centre. */
  private zoom(factor: number, point?: Position): void {
    const { side, size, left, top } = this.view;
    const anchor = this.hovered ?? this.selected;
    const cell: [number, number] | null = anchor && [(anchor[1] + 0.5 - left) * size, (anchor[0] + 0.5 - top) * size];
    const isVisible = cell?.every((coordinate) => coordinate >= 0 && coordinate <= side);
    const [x, y] = point ?? (cell && isVisible ? cell : [side / 2, side / 2]);
    this.setView(zoomAt(this.view, factor, x, y));
  }

  /** Return the position of a pointer in the square of cells, in CSS pixels. */
  private pointerAt(event: MouseEvent): [x: number, y: number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - this.gutters.left, event.clientY - box.top - this.gutters.top];
  }

  private positionAtPointer(event: MouseEvent): Position | null {
    const { run } = this;
    if (!run) return null;
    const isFilled = (row: number, column: number) => pairAt(run, ...this.order.cellAt([row, column])).count > 0;
    return nearestPosition(this.view, ...this.pointerAt(event), isFilled);
  }

  private hover(position: Position | null): void {
    if (String(position) === String(this.hovered)) return;
    this.hovered = position;
    this.requestDraw();
  }

  /** Return the initial position of keyboard navigation: the most confused pair. */
  private initialPosition(run: ClassResults): Position {
    const [pair] = confusedPairs(run, 1);
    return (pair && this.order.positionOf([pair.truth, pair.prediction])) ?? [0, 0];
  }

  /** Handle a key. Return whether it was handled. */
  private handleKey(key: string): boolean {
    const { run } = this;
    if (!run) return false;
    const position = this.hovered ?? this.selected ?? this.initialPosition(run);
    const next = nextPosition(key, position, this.order.labels.length);
    if (next) {
      this.hovered = this.hovered || this.selected ? next : position; // the first key press shows the initial position
      this.view = scrollTo(this.view, this.hovered);
      setText(this.liveRegion, describeCell(run, ...this.order.cellAt(this.hovered)));
      this.requestDraw();
    } else if (key === "Enter" || key === " ") this.options.choose(this.order.cellAt(position));
    else if (key === "+" || key === "=") this.zoom(ZOOM_FACTOR);
    else if (key === "-" || key === "_") this.zoom(1 / ZOOM_FACTOR);
    else if (key === "0") this.showAll();
    else if (key === "Escape") this.options.leave();
    else return false;
    return true;
  }
}
