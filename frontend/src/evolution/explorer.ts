import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { describeReceptiveField } from "../layers/layer_list.ts";
import { DetailDrawer } from "../ui/detail_drawer.ts";
import { h, setText } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu, type ExportGroup, exportName } from "../ui/export_menu.ts";
import { type KeyHint, keyHint } from "../ui/footer.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { Charts } from "./charts.ts";
import { focusedPart, type KeyAction, keyAction } from "./keyboard.ts";
import { EvolutionStore } from "./store.ts";
import { describeChanges, describeColumn, headerContent } from "./texts.ts";
import { Timeline } from "./timeline.ts";
import { createUnitChoice } from "./unit_choice.ts";
import { UnitPane } from "./unit_pane.ts";
import { UnitRows } from "./unit_rows.ts";
import type { Column, Evolution, EvolutionState, FigureFile, RowsReply, Show, UnitName } from "./wire.ts";

const SHOWS: [Show, string, string][] = [
  ["projections", "Projections", "The strongest activation of each unit, projected to pixel space"],
  ["patches", "Patches", "The patch of the image in the unit's receptive field"],
  ["both", "Both", "Projections, each with its patch in the corner"],
];
const FIGURES: ExportGroup<FigureFile>[] = [
  [
    "These units",
    [
      ["evolution.png", "PNG"],
      ["evolution.svg", "SVG"],
      ["evolution.pdf", "PDF"],
      ["evolution.html", "HTML"],
    ],
  ],
  ["Strongest activations", [["cells.csv", "CSV"]]],
  ["Convergence", [["convergence.csv", "CSV"]]],
];
const KEYS: KeyHint[] = [
  [["←", "→"], "checkpoint"],
  [["↑", "↓"], "unit"],
  [["Space"], "play"],
  [["Enter"], "open in a LayerExplorer"],
  [["E"], "enlarge"],
  [["Esc"], "leave"],
];
const CONTRAST =
  "Projections contain negative values, because filters have negative weights. " +
  "Each tile is resampled to its size on the page, then zero is mid-gray and 2.5 of its standard deviations are black or white.";
const nameOf = ({ unit, epoch }: Column) => `${unit === "step" ? "Step" : "Epoch"} ${epoch}`;
const NO_ROWS: RowsReply = { epochs: [], rows: [] };

/** One view of an EvolutionExplorer. */
class EvolutionView extends ExplorerView<EvolutionState, EvolutionStore> {
  private readonly choice = createUnitChoice({ set: (patch) => this.set(patch), showStatus: (text) => this.showStatus(text) });
  private readonly shows = createRadioGroup({
    label: "Show",
    prefix: "show",
    testid: "shows",
    choices: SHOWS,
    pick: (show) => this.set({ show }),
  });
  private readonly charts = new Charts({ store: this.store, set: (patch) => this.set(patch), pick: (epoch) => this.pickNearest(epoch) });
  private readonly timeline = new Timeline({ pick: (epoch) => this.set({ epoch, rank: 0 }), isLoaded: () => this.isPaneLoaded() });
  private readonly problems = h("div", { class: "dwv-problems", "data-testid": "problems" });
  private readonly message = h("p", { role: "status", "data-testid": "message" });
  private readonly progress = h("progress", { max: 1, "aria-label": "Index of the first checkpoint" });
  private readonly waiting = h("div", { class: "dwv-message" }, this.message, this.progress);
  private readonly rows = new UnitRows({
    store: this.store,
    pick: (unit, epoch) => this.pickCell(unit, epoch),
    pickEpoch: (epoch) => this.pickEpoch(epoch),
    open: () => this.openLayers(),
  });
  private readonly pane = new UnitPane({
    id: this.id,
    store: this.store,
    set: (patch) => this.set(patch),
    pickEpoch: (epoch) => this.pickEpoch(epoch),
    open: () => this.openLayers(),
    close: () => this.drawer.close(),
    focusRows: () => this.focusMain(),
  });
  private readonly drawer: DetailDrawer;

  constructor(context: RenderContext<EvolutionState>, store: EvolutionStore) {
    super(context, store, "explorer", "evolution-explorer");
    const parts = [this.charts.element, this.timeline.element, this.problems, this.waiting, this.rows.element];
    const left = h("div", { class: "dwv-left" }, ...parts);
    const main = h("div", { class: "dwv-main" }, left, this.pane.element);
    this.drawer = new DetailDrawer(main, this.pane.element, () => this.focusMain());
    const menu = createExportMenu({ groups: FIGURES, save: (file) => void this.save(file), copy: this.copy });
    const legend = h("span", { class: "dwx-hint dwv-legend" }, h("i", {}), " another image became the strongest");
    const contrast = h("span", { class: "dwx-contrast-note", title: CONTRAST, tabindex: 0 });
    setText(contrast, "Mid-gray is zero; each tile is scaled by 2.5 of its standard deviations.");
    this.mount({
      label: "Evolution explorer",
      className: "dwv",
      tools: [this.choice.element, this.shows.element, menu],
      main: [main],
      footer: [KEYS.map(keyHint), [legend, contrast]],
    });
  }

  override focusMain(): void {
    this.rows.focus();
  }

  override close(): void {
    for (const part of [this.timeline, this.charts, this.rows, this.pane]) part.close();
    super.close();
  }

  protected override isLoaded(next: EvolutionState): boolean {
    const { store } = this;
    const { value } = store.rows(next);
    return value !== undefined && store.convergence(next.measure).value !== undefined && this.isPaneLoaded(next, value);
  }

  protected override alertText(): string {
    return super.alertText() || (this.evolution ? (this.store.rows(this.state).error ?? "") : "");
  }

  protected override draw(): void {
    const { evolution, state, store } = this;
    if (!store.hello || !evolution) return;
    const { columns, layers } = evolution;
    const reply = store.rows(state).value ?? this.lastReply;
    this.lastReply = reply;
    const epoch = this.epochOf(state);
    const unit = this.unitOf(state, reply);
    const column = columns.find((entry) => entry.epoch === epoch);
    this.header?.update(headerContent(store.hello));
    this.choice.update(
      state,
      layers,
      reply.rows.map((row): UnitName => [row.layer, row.unit]),
    );
    this.shows.show(state.show);
    this.charts.update(state, epoch, evolution);
    this.timeline.update(columns, epoch, column ? describeChanges(reply, column) : "");
    this.drawProblems(columns);
    this.drawMessage(evolution, reply);
    this.rows.element.hidden = reply.rows.length === 0;
    this.rows.update({ state, reply, columns, epoch, unit });
    this.rows.paint();
    this.drawPane(evolution, reply, unit, column);
    this.root.dataset.ready = "true";
  }

  protected override onKey(event: KeyboardEvent): boolean {
    if (event.key === "Escape" && this.drawer.isOver) {
      this.drawer.close();
      return true;
    }
    const action = event.target instanceof Element ? keyAction(event.key, focusedPart(event.target)) : null;
    if (action) this.perform(action);
    return action !== null;
  }

  private lastReply: RowsReply = NO_ROWS;

  private get evolution(): Evolution | null {
    return this.store.hello?.evolution ?? null;
  }

  /** Return the epoch that a state shows: without one, or with one that is gone, the last that is ready. */
  private epochOf({ epoch }: EvolutionState): number | null {
    const columns = this.evolution?.columns ?? [];
    if (columns.some((column) => column.epoch === epoch)) return epoch;
    return this.store.readyEpochs.at(-1) ?? columns.at(-1)?.epoch ?? null;
  }

  /** Return the unit that a state shows; without one, that of the first row. */
  private unitOf({ unit }: EvolutionState, { rows: [first] }: RowsReply): UnitName | null {
    if (unit) return unit;
    return first ? [first.layer, first.unit] : null;
  }

  private drawProblems(columns: readonly Column[]): void {
    const failed = columns.filter(({ state }) => state === "failed");
    const texts = failed.map((column) => `${nameOf(column)}: ${describeColumn(column)}`);
    this.problems.hidden = texts.length === 0;
    const key = texts.join("\n");
    if (this.problems.dataset.key === key) return;
    this.problems.dataset.key = key;
    this.problems.replaceChildren(...texts.map((text) => h("p", { class: "dwx-error" }, text)));
  }

  private drawMessage({ columns }: Evolution, { rows }: RowsReply): void {
    const building = columns.find(({ state }) => state === "building");
    const waits = columns.some(({ state }) => state === "waiting");
    let text = "";
    if (!columns.length) text = "There is no checkpoint yet. The first one appears here as soon as it is written.";
    else if (!rows.length && this.store.readyEpochs.length) text = "Loading…";
    else if (!rows.length && building) {
      text = `${nameOf(building)}: ${describeColumn(building)}. The units appear when the index of the first checkpoint is ready.`;
    } else if (!rows.length && waits) text = "Waiting for the index of the first checkpoint…";
    else if (!rows.length && this.state.choose === "chosen") text = "No unit is chosen: list some under “units”, such as conv1 3, 5.";
    setText(this.message, text);
    this.waiting.hidden = !text;
    const { done, total } = building?.progress ?? { done: 0, total: 0 };
    this.progress.hidden = rows.length > 0 || !building;
    if (total) this.progress.value = done / total;
    else this.progress.removeAttribute("value");
  }

  private drawPane({ columns, layers }: Evolution, reply: RowsReply, unit: UnitName | null, column: Column | undefined): void {
    if (!unit || !column) {
      this.pane.update(null);
      return;
    }
    const at = reply.epochs.indexOf(column.epoch);
    const row = reply.rows.find((entry) => entry.layer === unit[0] && entry.unit === unit[1]);
    const layer = layers.find(({ short_name }) => short_name === unit[0]);
    const field = layer ? describeReceptiveField(layer) : "";
    const ready = columns.filter(({ state }) => state === "ready");
    const here = ready.indexOf(column);
    const neighbours = [ready[here + 1], ...(this.timeline.playing ? [ready[here + 2]] : [ready[here - 1]])];
    const known = neighbours.filter((entry) => entry !== undefined);
    this.pane.update({ state: this.state, unit, column, cell: row?.cells[at], field, neighbours: known });
  }

  private isPaneLoaded(state: EvolutionState = this.state, reply = this.lastReply): boolean {
    const [unit, epoch] = [this.unitOf(state, reply), this.epochOf(state)];
    const column = this.evolution?.columns.find((entry) => entry.epoch === epoch);
    return !unit || !column || this.pane.isLoaded(unit, column);
  }

  private pickCell(unit: UnitName, epoch: number): void {
    this.timeline.stop();
    this.set({ unit, epoch, rank: 0 });
    this.drawAll(); // the cell that takes the focus
    if (this.pane.isDrawer) this.drawer.open();
  }

  private pickEpoch(epoch: number): void {
    this.timeline.stop();
    this.set({ epoch, rank: 0 });
  }

  /** Move to the checkpoint nearest to an epoch. */
  private pickNearest(epoch: number): void {
    const epochs = (this.evolution?.columns ?? []).map((column) => column.epoch);
    const [nearest] = [...epochs].sort((a, b) => Math.abs(a - epoch) - Math.abs(b - epoch));
    if (nearest !== undefined && nearest !== this.epochOf(this.state)) this.pickEpoch(nearest);
  }

  private perform(action: KeyAction): void {
    if (action.type === "play") this.timeline.toggle();
    else if (action.type === "open") this.openLayers();
    else if (action.type === "enlarge") this.pane.enlarge();
    else if (action.type === "rank") this.pane.move(action.key);
    else if (action.type === "epoch") this.moveEpoch(action.to);
    else if (action.type === "unit") this.moveUnit(this.rows.neighbour(action.step));
    else if (action.type === "layer") this.moveUnit(this.rows.neighbourLayer(action.step));
    else this.focusMain();
  }

  private moveEpoch(to: "next" | "previous" | "first" | "last"): void {
    const epochs = (this.evolution?.columns ?? []).map(({ epoch }) => epoch);
    const at = epochs.indexOf(this.epochOf(this.state) ?? Number.NaN);
    const index = { next: at + 1, previous: at - 1, first: 0, last: epochs.length - 1 }[to];
    const epoch = epochs[Math.min(epochs.length - 1, Math.max(0, index))];
    if (epoch === undefined) return;
    this.pickEpoch(epoch);
    this.focusCell();
  }

  private moveUnit(unit: UnitName | null): void {
    if (!unit) return;
    this.set({ unit, rank: 0 });
    this.focusCell();
  }

  private focusCell(): void {
    this.drawAll();
    this.rows.focus();
  }

  private openLayers(): void {
    const [unit, epoch] = [this.unitOf(this.state, this.lastReply), this.epochOf(this.state)];
    if (!unit || epoch === null) return;
    const [layer, number] = unit;
    void this.showing?.show("LayerExplorer", { state: { epoch, layer, unit: number, rank: this.state.rank } });
  }

  private async save(file: FigureFile): Promise<void> {
    const { hello } = this.store;
    if (!hello) return;
    const [name, suffix = ""] = file.split(".");
    await this.download("figure", { figure: file, state: this.state }, exportName([hello.overview.model, name ?? ""], suffix));
  }
}

export default defineWidget<EvolutionState, EvolutionStore>(
  (model) => new EvolutionStore(model),
  (context, store) => new EvolutionView(context, store),
);
