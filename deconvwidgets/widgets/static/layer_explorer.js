import { UnitDetail } from "./detail.js";
import { h, setText } from "./dom.js";
import { progressWords } from "./format.js";
import { UnitGrid } from "./grid.js";
import { createHeader, toPython } from "./header.js";
import { guardShortcuts, meaning, whereIs } from "./keys.js";
import { createLayers } from "./layers.js";
import { placeAfter } from "./layout.js";
import { SILENCE } from "./queue.js";
import { Wire } from "./requests.js";
import { createFooter, createToolbar } from "./toolbar.js";
import { filterUnits, labelsNamed, orderUnits, readSearch } from "./units.js";

const SAVE_AFTER = 120; // ms: the pictures are asked for first, then the kernel is told where we are

/** One view of a LayerExplorer. */
class ExplorerView {
  /** @param {{model: any, el: HTMLElement}} context */
  constructor({ model, el }) {
    this.model = model;
    this.state = { ...model.get("state") };
    /** @type {any} */
    this.overview = null;
    /** @type {number[]} */
    this.order = [];
    this.ordered = /** @type {any[]} */ ([]);
    /** @type {Set<number> | null} */
    this.labels = null;
    /** @type {Map<string, number>} the unit last chosen in each layer */
    this.visited = new Map();
    this.started = performance.now();
    this.words = "";
    this.trouble = "";
    this.progress = null;
    this.saving = 0;
    this.wire = new Wire(model, {
      changed: () => this.later(),
      silence: (silent) => this.silence(silent),
      event: (message) => this.event(message),
    });
    this.build(el);
    this.follow = () => this.stateFromKernel();
    model.on("change:state", this.follow);
    this.greet();
  }

  /** @param {HTMLElement} el */
  build(el) {
    const id = `dwx-${this.wire.view}`;
    const set = (/** @type {any} */ patch) => this.set(patch);
    this.header = createHeader({ set, save: (figure) => this.save(figure), copy: () => this.copy() });
    this.layers = createLayers({ pick: (layer) => this.goTo(layer) });
    this.toolbar = createToolbar({ id, set, find: (text) => this.find(text), typed: (text) => this.typed(text) });
    this.grid = new UnitGrid({ id, wire: this.wire, pick: (unit) => this.set({ unit, rank: 0 }), open: () => this.detail.focus() });
    this.detail = new UnitDetail({ wire: this.wire, set, painted: (info) => this.painted(info) });
    this.footer = createFooter();
    this.bar = h("progress", { max: 1, "aria-label": "Index of strongest activations" });
    this.waitWords = h("span", {});
    this.wait = h("div", { class: "dwx-wait", "data-testid": "progress", hidden: true }, h("p", {}, "Looking for each unit's strongest activations"), this.bar, this.waitWords);
    this.alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
    const middle = h("section", { class: "dwx-middle", "aria-label": "Units" }, this.toolbar.element, this.wait, this.grid.element);
    const main = h("div", { class: "dwx-main" }, this.layers.element, middle, this.detail.element);
    this.root = h("div", { class: "dwx", "data-testid": "layer-explorer" }, h("div", { class: "dwx-frame" }, this.header.element, this.alert, main, this.footer.element));
    this.root.style.setProperty("--dwx-height", `${this.model.get("height")}px`);
    this.root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointerdown", "keydown"]) this.root.addEventListener(name, (event) => (this.started = event.timeStamp), true);
    el.append(this.root);
    this.unguard = guardShortcuts(this.root);
  }

  close() {
    this.saveNow();
    this.model.off("change:state", this.follow);
    this.unguard?.();
    this.grid.close();
    this.detail.close();
    this.wire.close();
    cancelAnimationFrame(this.frame ?? 0);
    this.root?.remove();
  }

  /** Ask for the overview; the request greets the kernel, too, which then answers this view while cells run. */
  greet() {
    const done = (/** @type {any} */ overview) => {
      this.overview = overview;
      this.trouble = "";
      this.refresh();
    };
    this.wire.hello(done, (words) => this.fail(words));
  }

  /** @param {any} message */
  event({ event, progress, message }) {
    if (event === "changed") {
      this.wire.forget();
      this.ordered = [];
      this.progress = null;
      this.greet();
    } else if (event === "failed") this.fail(message);
    else if (progress) {
      this.progress = progress;
      this.later();
    }
  }

  /** @param {string} words */
  fail(words) {
    this.trouble = words;
    this.later();
  }

  /** @param {boolean} silent */
  silence(silent) {
    if (silent) this.fail(SILENCE);
    else if (this.trouble === SILENCE) {
      this.trouble = "";
      if (this.overview) this.later();
      else this.greet();
    }
  }

  /** Draw in the next frame, once. */
  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.refresh();
    });
  }

  get layer() {
    return this.overview?.layers.find((/** @type {any} */ layer) => layer.id === this.state.layer);
  }

  /** Change the state, as the user asked. @param {any} patch */
  set(patch) {
    this.wire.retry();
    if (!this.overview) this.greet();
    this.state = { ...this.state, ...patch };
    this.words = "";
    this.refresh();
    if ("unit" in patch || "layer" in patch) this.grid.show(this.state.unit);
    clearTimeout(this.saving);
    this.saving = window.setTimeout(() => this.saveNow(), SAVE_AFTER);
  }

  saveNow() {
    clearTimeout(this.saving);
    if (JSON.stringify(this.model.get("state")) === JSON.stringify(this.state)) return;
    this.model.set("state", { ...this.state });
    this.model.save_changes();
  }

  /** Python, or another view of this widget, set the state. */
  stateFromKernel() {
    const state = this.model.get("state");
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = { ...state };
    // A cell that touched the widget has bound its answers to the cell's shell; a greeting frees them.
    this.greet();
    this.refresh();
    this.grid.show(this.state.unit);
  }

  /** Another layer, where one last was in it. @param {string} layer */
  goTo(layer) {
    if (layer === this.state.layer) return;
    this.set({ layer, unit: this.visited.get(layer) ?? null, rank: 0 });
  }

  /** Sort and filter anew if anything of it changed. @param {import("./units.js").Table} table */
  arrange(table) {
    const { sort, filter } = this.state;
    const key = [table, sort, filter];
    if (key.every((part, at) => part === this.ordered[at])) return;
    this.ordered = key;
    this.labels = labelsNamed(table, filter);
    this.order = filterUnits(table, orderUnits(table, sort), this.labels);
  }

  /** Everything from the state. Cheap: each part changes only what is another than before. */
  refresh() {
    const { overview } = this;
    setText(this.alert ?? h("i"), this.trouble);
    if (this.alert) this.alert.hidden = !this.trouble;
    if (overview) {
      this.header?.update(overview, this.layer, this.state);
      this.layers?.update(overview, this.state.layer);
      this.drawWait(!overview.index_ready);
      if (overview.index_ready) this.drawUnits(overview);
    }
    this.footer?.update(this.state.contrast, this.words);
  }

  /** @param {any} overview */
  drawUnits(overview) {
    const { layer } = this.state;
    this.wire.table(layer);
    const table = this.wire.tables.get(layer);
    const failure = this.wire.failures.get(`table ${layer}`);
    if (failure && this.alert) {
      this.alert.hidden = false;
      setText(this.alert, failure);
    }
    if (table) {
      this.arrange(table);
      if (this.state.unit === null || this.state.unit >= table.units) this.state.unit = this.order[0] ?? orderUnits(table, this.state.sort)[0];
      this.visited.set(layer, this.state.unit);
    }
    this.toolbar?.update({ state: this.state, table, shown: this.order.length });
    // The detail first: its nine is the most urgent.
    this.detail.update({ state: this.state, overview, table, gridTile: this.grid.layout.tile, started: this.started });
    if (table) this.grid.update({ state: this.state, table, order: this.order, labels: this.labels });
  }

  /** @param {boolean} waiting */
  drawWait(waiting) {
    if (!this.wait || !this.bar || !this.root) return;
    this.wait.hidden = !waiting;
    this.root.dataset.waiting = String(waiting);
    if (!waiting) return;
    const { done = 0, total = 0 } = /** @type {any} */ (this.progress) ?? {};
    if (total) this.bar.setAttribute("value", String(done / total));
    else this.bar.removeAttribute("value");
    setText(/** @type {HTMLElement} */ (this.waitWords), progressWords(this.progress));
  }

  /** As one types: words filter at once, numbers wait for Enter. @param {string} text */
  typed(text) {
    const wanted = readSearch(text);
    if ("words" in wanted && wanted.words !== this.state.filter) this.set({ filter: wanted.words });
  }

  /** @param {string} text */
  find(text) {
    const wanted = readSearch(text);
    const units = this.layer?.channels ?? 0;
    if ("words" in wanted) this.typed(text);
    else if (wanted.unit >= units) this.say(`${this.state.layer} has ${units} units, 0 to ${units - 1}`);
    else {
      const hidden = this.labels && !this.order.includes(wanted.unit);
      this.set({ unit: wanted.unit, rank: 0, ...(hidden ? { filter: "" } : {}) });
    }
  }

  /** @param {string} words */
  say(words) {
    this.words = words;
    this.refresh();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || !this.overview) return;
    const meant = meaning(event.key, whereIs(target));
    if (!meant) return;
    event.stopPropagation();
    if (meant.act !== "find" && meant.act !== "endSearch") event.preventDefault();
    this.act(meant, target);
  }

  /** @param {{act: string, [name: string]: any}} meant @param {Element} target */
  act(meant, target) {
    const search = this.toolbar?.search;
    if (meant.act === "search") search?.select();
    if (meant.act === "search") search?.focus();
    if (meant.act === "pin") this.detail.togglePin();
    if (meant.act === "layer" && this.overview.layers[meant.index]) this.goTo(this.overview.layers[meant.index].id);
    if (meant.act === "open") this.detail.focus();
    if (meant.act === "moveRank") this.detail.move(meant.key);
    if (meant.act === "moveUnit") this.moveUnit(meant.key);
    if (meant.act === "leave") /** @type {HTMLElement} */ (target).blur();
    if (meant.act === "find") this.find(search?.value ?? "");
    if (meant.act === "endSearch") {
      if (search) search.value = "";
      if (this.state.filter) this.set({ filter: "" });
    }
    if (["find", "endSearch", "grid"].includes(meant.act)) this.grid.element.focus({ preventScroll: true });
  }

  /** @param {string} key */
  moveUnit(key) {
    const { order, grid } = this;
    if (!order.length) return;
    const at = order.indexOf(this.state.unit);
    const next = at < 0 ? 0 : placeAfter(key, at, grid.layout.columns, order.length, grid.rowsInSight());
    if (next !== null && next !== at) this.set({ unit: order[next], rank: 0 });
  }

  /** @param {string} figure */
  save(figure) {
    this.say("Drawing the figure…");
    const [kind, suffix] = figure.split(".");
    const { layer, unit } = this.state;
    const name = `${this.overview.model}-${layer}${kind === "unit" ? `-unit${unit}` : ""}.${suffix}`.replace(/[^\w.-]+/g, "_");
    const done = (/** @type {Blob} */ file) => {
      const link = h("a", { href: URL.createObjectURL(file), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.getAttribute("href") ?? ""), 60000);
      this.say(`Saved ${name}`);
    };
    this.wire.figure(figure, this.state, done, (words) => this.say(words));
  }

  copy() {
    const text = `explorer.state = ${toPython(this.state)}`;
    const done = () => this.say("Copied the state");
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => this.say(text));
    else this.say(text);
  }

  /** For benchmarks and tests. @param {any} info */
  painted(info) {
    performance.mark("deconvwidgets:painted", { detail: info });
    this.root?.dispatchEvent(new CustomEvent("deconvwidgets:painted", { detail: info, bubbles: true }));
  }
}

/** @param {{model: any, el: HTMLElement}} context */
function render(context) {
  const view = new ExplorerView(context);
  return () => view.close();
}

export default { render };
