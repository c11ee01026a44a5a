import { download, figureName } from "../ui/export.ts";
import { meaning, whereIs } from "../ui/keyboard.ts";
import { placeAfter } from "./grid_layout.ts";
import { createPage } from "./page.ts";
import { Wire } from "./store.ts";
import { filterUnits, labelsNamed, orderUnits, readSearch } from "./unit_table.ts";
import { WidgetView } from "../ui/explorer_view.ts";
import type { Table } from "./unit_table.ts";
import type { RenderContext } from "../kernel/model.ts";
import type { Progress, ServiceEvent } from "../kernel/wire.ts";
import type { Painted } from "../ui/explorer_view.ts";
import type { LayerState, Overview } from "./wire.ts";

/** One view of a LayerExplorer: the state, and what the user does with it. */
class ExplorerView extends WidgetView<LayerState, Overview> {
  /** the units to show */
  order: number[];
  ordered: unknown[];
  labels: Set<number> | null;
  /** the unit last chosen in each layer */
  visited: Map<string, number>;
  started: number;
  progress: Progress | null;
  wire: Wire;
  page: ReturnType<typeof createPage>;

  constructor({ model, el }: RenderContext<LayerState>) {
    super(model, "explorer");
    this.order = [];
    this.ordered = [];
    this.labels = null;
    this.visited = new Map();
    this.started = performance.now();
    this.progress = null;
    this.wire = new Wire(model, { changed: () => this.later(), ...this.listeners });
    this.page = createPage({
      wire: this.wire,
      set: (patch) => this.set(patch),
      goTo: (layer) => this.goTo(layer),
      find: (text) => this.find(text),
      typed: (text) => this.typed(text),
      scrolled: (unit) => this.scrolled(unit),
      save: (figure) => this.save(figure),
      copy: () => this.copyState(),
      painted: (info) => this.painted(info),
    });
    const { root } = this.page;
    root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointerdown", "keydown"]) root.addEventListener(name, (event) => (this.started = event.timeStamp), true);
    this.open(root, el);
  }

  override close() {
    super.close();
    this.page.close();
    this.wire.close();
  }

  /** Ask for the overview; the request greets the kernel, too, which then answers this view while cells run. */
  override greet() {
    const done = (overview: Overview) => {
      this.overview = overview;
      this.trouble = "";
      this.refresh();
    };
    this.wire.hello(done, (words) => this.fail(words));
  }

  override event({ event, progress, message }: ServiceEvent) {
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

  get layer() {
    return this.overview?.layers.find((layer) => layer.id === this.state.layer);
  }

  /** Change the state, as the user asked. */
  set(patch: Partial<LayerState>) {
    if (!this.overview || this.wire.queue.silent) this.greet();
    this.wire.retry();
    const anew = ["layer", "sort", "filter"].some((name) => name in patch); // read from its beginning
    this.state = { ...this.state, ...(anew ? { scroll: null } : {}), ...patch };
    this.words = "";
    this.refresh();
    if ("unit" in patch || "layer" in patch) this.page.grid.show(this.state.unit);
    this.saveSoon();
  }

  override saveNow() {
    if (this.state.unit === null) return; // the layer's table is on its way, and with it the first unit
    super.saveNow();
  }

  override followState(before: LayerState) {
    this.refresh();
    const { scroll, unit } = this.state;
    if (scroll !== null && scroll !== before.scroll) this.page.grid.restore(this.state);
    else this.page.grid.show(unit);
  }

  /** @param unit whose row now stands at the top of the grid */
  scrolled(unit: number) {
    this.state.scroll = unit; // nothing to draw
    this.saveSoon();
  }

  /** Another layer, where one last was in it. */
  goTo(layer: string) {
    if (layer === this.state.layer) return;
    this.set({ layer, unit: this.visited.get(layer) ?? null, rank: 0 });
  }

  /** Sort and filter anew if anything of it changed. */
  arrange(table: Table) {
    const { sort, filter } = this.state;
    const key = [table, sort, filter];
    if (key.every((part, at) => part === this.ordered[at])) return;
    this.ordered = key;
    this.labels = labelsNamed(table, filter);
    this.order = filterUnits(table, orderUnits(table, sort), this.labels);
  }

  /** Everything from the state. Cheap: each part changes only what is another than before. */
  override refresh() {
    const { overview, page, state } = this;
    page.complain(this.trouble || this.wire.failures.get(`table ${state.layer}`) || "");
    if (overview) {
      page.header.update(overview, this.layer, state);
      page.layers.update(overview, state.layer);
      page.showWait(!overview.index_ready, this.progress);
      page.refusal.update(this.wire.refusal(state));
      if (overview.index_ready) this.drawUnits(overview);
    }
    page.footer.update(state.contrast, this.words, overview?.layers.length ?? 0);
  }

  drawUnits(overview: Overview) {
    const { wire, page, state, started } = this;
    wire.table(state.layer);
    const table = wire.tables.get(state.layer);
    if (table) {
      this.arrange(table);
      if (state.unit === null) {
        state.unit = this.order[0] ?? orderUnits(table, state.sort)[0] ?? 0;
        this.saveSoon();
      }
      this.visited.set(state.layer, state.unit);
    }
    page.toolbar.update({ state, table, shown: this.order.length });
    // The detail first: its nine is the most urgent.
    page.detail.update({ state, overview, table, gridTile: page.grid.layout.tile, started });
    if (table) page.grid.update({ state, table, order: this.order, labels: this.labels });
  }

  /** As one types: words filter at once, numbers wait for Enter. */
  typed(text: string) {
    const wanted = readSearch(text);
    if ("words" in wanted && wanted.words !== this.state.filter) this.set({ filter: wanted.words });
  }

  find(text: string) {
    const wanted = readSearch(text);
    const units = this.layer?.channels ?? 0;
    if ("words" in wanted) this.typed(text);
    else if (wanted.unit >= units) this.say(`${this.state.layer} has ${units} units, 0 to ${units - 1}`);
    else {
      const hidden = this.labels && !this.order.includes(wanted.unit);
      this.set({ unit: wanted.unit, rank: 0, ...(hidden ? { filter: "" } : {}) });
    }
  }

  key(event: KeyboardEvent) {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || !this.overview) return;
    const meant = meaning(event.key, whereIs(target));
    if (!meant) return;
    event.stopPropagation();
    if (meant.act !== "find" && meant.act !== "endSearch") event.preventDefault();
    this.act(meant, target);
  }

  act(meant: { act: string; [name: string]: unknown }, target: HTMLElement) {
    const { detail, toolbar } = this.page;
    const actions: Record<string, () => void> = {
      search: () => [toolbar.search.focus(), toolbar.search.select()],
      find: () => [this.find(toolbar.search.value), this.focusGrid()],
      endSearch: () => [this.set({ filter: "" }), this.focusGrid()],
      pin: () => detail.togglePin(),
      layer: () => this.overview.layers[meant.index] && this.goTo(this.overview.layers[meant.index].id),
      open: () => detail.focus(),
      grid: () => this.focusGrid(),
      leave: () => target.blur(),
      moveRank: () => detail.move(meant.key),
      moveUnit: () => this.moveUnit(meant.key),
    };
    actions[meant.act]();
  }

  focusGrid() {
    const { grid, toolbar } = this.page;
    grid.element.focus({ preventScroll: true });
    toolbar.search.value = this.state.filter;
  }

  moveUnit(key: string) {
    const { order } = this;
    const { grid } = this.page;
    if (!order.length) return;
    const at = order.indexOf(this.state.unit);
    const next = at < 0 ? 0 : placeAfter(key, at, grid.layout.columns, order.length, grid.rowsInSight());
    if (next !== null && next !== at) this.set({ unit: order[next], rank: 0 });
  }

  save(figure: string) {
    this.say("Drawing the figure…");
    const name = figureName(this.overview.model, this.state, figure);
    const done = (file: Blob) => {
      download(file, name);
      this.say(`Saved ${name}`);
    };
    this.wire.figure(figure, this.state, done, (words) => this.say(words));
  }

  /** For benchmarks and tests. */
  painted(info: Painted) {
    performance.mark("deconvwidgets:painted", { detail: info });
    this.page.root.dispatchEvent(new CustomEvent("deconvwidgets:painted", { detail: info, bubbles: true }));
  }
}

function render(context: RenderContext<LayerState>) {
  const view = new ExplorerView(context);
  return () => view.close();
}

export default { render };
