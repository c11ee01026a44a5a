import { h, segments, setText } from "./dom.js";
import { grouped, percent } from "./format.js";
import { readLook } from "./transfer_look.js";
import { cellColour, isNearest, isZoomed, matrixPixels, panned, placeBeside, placeMeant, resized, showing, topOfMistakes, wholeMatrix, zoomed } from "./transfer_matrix.js";
import { FLAT_FROM, drawMatrix } from "./transfer_matrix_drawing.js";
import { confusedPairs, orderClasses, pairAt } from "./transfer_runs.js";

const LARGEST_SIDE = 620; // CSS pixels of the cells' square
const LEAST_SIDE = 280; // below which scrolling is better than less
const ZOOM_STEP = 1.6; // of the zoom buttons
const DRAG_FROM = 4; // CSS pixels from which a press is no click
const MATRIX_ORDERS = /** @type {[string, string, string][]} */ ([
  ["name", "By name", "Classes in the order of their names"],
  ["accuracy", "Worst first", "Classes in the order of their accuracy"],
]);
const MATRIX_KEYS = "Arrow keys move from cell to cell, Enter shows a cell's photographs, plus and minus zoom, Escape leaves.";

/**
 * What a cell holds, in words.
 * @param {import("./transfer_runs.js").RunView} run @param {number} truth @param {number} prediction
 */
export function cellWords(run, truth, prediction) {
  const { count, share } = pairAt(run, truth, prediction);
  const names = run.categories;
  const of = run.tests[truth] ? `${grouped(count)} of ${grouped(run.tests[truth])} (${percent(share)})` : "no tests";
  return `${names[truth]} → ${names[prediction]}: ${of}`;
}

/** The confusion matrix: wheel and buttons zoom, dragging pans, a click or Enter chooses a cell. */
export class ConfusionMatrix {
  /**
   * @param {object} options
   * @param {(patch: any) => void} options.set
   * @param {(cell: [number, number]) => void} options.choose shows a cell's photographs
   * @param {() => void} options.leave takes the focus on Escape
   */
  constructor({ set, choose, leave }) {
    this.set = set;
    this.choose = choose;
    this.leave = leave;
    /** @type {import("./transfer_runs.js").RunView | null} */
    this.run = null;
    /** @type {number[]} */
    this.order = [];
    /** @type {number[]} each class's place in the order */
    this.places = [];
    this.orderName = "";
    this.top = 1;
    this.view = wholeMatrix(0, 0);
    this.gutters = { left: 0, top: 0 };
    /** @type {import("./transfer_matrix_drawing.js").Look | null} */
    this.look = null;
    /** @type {HTMLCanvasElement | null} a pixel a cell */
    this.cells = null;
    /** @type {[number, number] | null} */
    this.pointed = null;
    /** @type {[number, number] | null} */
    this.selected = null;
    this.moved = false; // the pointer, of its own, since it entered: a page that scrolls past is no wish to zoom
    /** @type {{x: number, y: number, dragged: boolean} | null} */
    this.press = null;
    this.frame = 0;
    this.build();
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.room);
  }

  build() {
    const place = { tabindex: 0, role: "application", "aria-roledescription": "confusion matrix", "data-testid": "confusion" };
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "dwt-matrix", ...place }));
    this.tip = h("div", { class: "dwt-tip", hidden: true, "data-testid": "confusion-tip" });
    this.told = h("div", { class: "dwt-told", "aria-live": "polite", "data-testid": "confusion-told" });
    this.probe = h("i", { class: "dwt-probe", "aria-hidden": "true" });
    this.orders = segments({ label: "Order of the classes", prefix: "order", choices: MATRIX_ORDERS, pick: (order) => this.set({ order }) });
    const button = (/** @type {string} */ name, /** @type {string} */ words, /** @type {string} */ label, /** @type {() => void} */ act) =>
      h("button", { type: "button", class: "dwx-menu-button dwt-zoom", "data-testid": `zoom-${name}`, "aria-label": label, title: label, onclick: act }, words);
    this.nearer = button("in", "+", "Zoom in (+)", () => this.zoom(ZOOM_STEP));
    this.farther = button("out", "−", "Zoom out (-)", () => this.zoom(1 / ZOOM_STEP));
    this.whole = button("whole", "Whole", "Show the whole matrix (0)", () => this.show(wholeMatrix(this.view.count, this.view.side)));
    this.legend = h("div", { class: "dwt-legend", "data-testid": "confusion-legend" });
    const tools = h("div", { class: "dwt-tools" }, this.orders.element, h("span", { class: "dwt-zooms" }, this.farther, this.nearer, this.whole), this.legend);
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

  /** @param {{run: import("./transfer_runs.js").RunView, state: any}} content */
  update({ run, state }) {
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
      this.canvas.setAttribute("aria-label", `Confusion matrix of ${run.categories.length} classes: rows are truths, columns predictions. ${MATRIX_KEYS}`);
      if (!same) this.view = wholeMatrix(run.categories.length, this.view.side);
      this.measure();
    }
    this.orders.show(order);
    const inside = state.cell?.every((/** @type {number} */ one) => one < run.categories.length);
    const cell = inside ? /** @type {[number, number]} */ (state.cell.map((/** @type {number} */ one) => this.places[one])) : null;
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
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
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
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    drawMatrix(context, { view, gutters, cells, run, order, top, look, pointed, selected, font: this.font() }, ratio);
    this.showTools(run);
    canvas.dispatchEvent(new CustomEvent("deconvwidgets:painted", { bubbles: true, detail: { kind: "matrix", size: view.size, ms: performance.now() - started } }));
  }

  /** @param {import("./transfer_runs.js").RunView} run @param {import("./transfer_matrix_drawing.js").Look} look */
  paintCells(run, look) {
    const count = run.categories.length;
    const cells = /** @type {HTMLCanvasElement} */ (h("canvas", { width: count, height: count }));
    cells.getContext("2d")?.putImageData(new ImageData(matrixPixels(run, this.order, look.palette, this.top), count, count), 0, 0);
    this.legend.replaceChildren(
      legendScale("right", "100 %", "Share of a class's tests that were right", (at) => cellColour(look.palette, true, at, 1)),
      legendScale("taken for another", percent(this.top), "Share of a class's tests that were taken for one other class, on a root scale", (at) =>
        cellColour(look.palette, false, at, 1),
      ),
    );
    return cells;
  }

  /** @param {import("./transfer_runs.js").RunView} run */
  showTools(run) {
    /** @type {HTMLButtonElement} */ (this.nearer).disabled = isNearest(this.view);
    for (const button of [this.farther, this.whole]) /** @type {HTMLButtonElement} */ (button).disabled = !isZoomed(this.view);
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

  /** @param {import("./transfer_matrix.js").MatrixView} view */
  show(view) {
    this.view = view;
    this.draw();
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  zoom(factor, x, y) {
    const { side, size, left, top } = this.view;
    const about = this.pointed ?? this.selected;
    // A cell out of sight is no place to zoom into.
    const at = about && [(about[1] + 0.5 - left) * size, (about[0] + 0.5 - top) * size];
    const inside = at?.every((one) => one >= 0 && one <= side);
    const [midX, midY] = at && inside ? at : [side / 2, side / 2];
    this.show(zoomed(this.view, factor, x ?? midX, y ?? midY));
  }

  /** Where a pointer is, in the square of cells. @param {MouseEvent} event @returns {[number, number]} */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - this.gutters.left, event.clientY - box.top - this.gutters.top];
  }

  /** @param {MouseEvent} event */
  meant(event) {
    const { run, order, view } = this;
    if (!run) return null;
    const holds = (/** @type {number} */ row, /** @type {number} */ column) => run.confusion[order[row] * order.length + order[column]] > 0;
    return placeMeant(view, ...this.at(event), holds);
  }

  /** @param {[number, number] | null} place */
  point(place) {
    if (String(place) === String(this.pointed)) return;
    this.pointed = place;
    this.draw();
  }

  /** @param {[number, number]} place */
  pick(place) {
    this.choose([this.order[place[0]], this.order[place[1]]]);
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    const pinch = event.ctrlKey || event.metaKey;
    const end = event.deltaY > 0 ? !isZoomed(this.view) : isNearest(this.view);
    if ((!this.moved && !pinch) || (end && !pinch)) return; // the page scrolls
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * (pinch ? 0.01 : 0.0025)), ...this.at(event));
    this.point(this.meant(event));
  }

  /** @param {PointerEvent} event */
  onPress(event) {
    if (event.button !== 0) return;
    this.press = { x: event.clientX, y: event.clientY, dragged: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
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

  /** @param {PointerEvent} event */
  onRelease(event) {
    const { press } = this;
    this.press = null;
    const place = this.meant(event);
    this.point(place);
    this.draw();
    if (press && !press.dragged && place) this.pick(place);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.act(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Where one begins: at what was confused most. @param {import("./transfer_runs.js").RunView} run @returns {[number, number]} */
  worst(run) {
    const [pair] = confusedPairs(run, 1);
    return pair ? [this.places[pair.truth], this.places[pair.prediction]] : [0, 0];
  }

  /** @param {string} key @returns {boolean} whether it was for the matrix */
  act(key) {
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

/** A scale as it is drawn, from next to nothing to its end. @param {string} words @param {string} end @param {string} hint @param {(at: number) => number[]} colour */
function legendScale(words, end, hint, colour) {
  const stops = [0.001, 0.05, 0.15, 0.3, 0.5, 0.75, 1].map((at) => `rgb(${colour(at).join(" ")}) ${100 * at}%`);
  const scale = h("i", { class: "dwt-scale", style: `background:linear-gradient(90deg, ${stops.join(", ")})` });
  return h("span", { title: hint }, `${words} `, scale, ` ${end}`);
}
