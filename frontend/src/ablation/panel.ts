import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h, setText } from "../ui/dom.ts";
import { createExportMenu, type ExportGroup } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import type { HeaderContent } from "../ui/header.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { StatusView } from "../ui/status_view.ts";
import { createPlanView } from "./plan_view.ts";
import { createRunsView } from "./runs_view.ts";
import { AblationStore } from "./store.ts";
import { createTableView } from "./table_view.ts";
import { completeRuns, describePhase, describeProgress, doneShare, MEASURES, studyFacts } from "./texts.ts";
import type { AblationFile, AblationState, Measure, Status } from "./wire.ts";

const FILES: ExportGroup<AblationFile>[] = [
  [
    "Table",
    [
      ["ablation.png", "PNG"],
      ["ablation.svg", "SVG"],
      ["ablation.pdf", "PDF"],
      ["ablation.html", "HTML"],
      ["ablation.csv", "CSV"],
    ],
  ],
  [
    "All runs",
    [
      ["ablation-runs.csv", "CSV"],
      ["ablation.json", "JSON"],
    ],
  ],
];
const CHOICES: Choice<Measure>[] = [
  ["top1", MEASURES.top1, "Differences of the top-1 error on validation photographs"],
  ["top5", MEASURES.top5, "Differences of the top-5 error on validation photographs"],
  ["train", MEASURES.train, "Differences of the top-1 error on training photographs"],
];

/** One view of an AblationPanel. */
class AblationPanelView extends StatusView<AblationState, AblationStore> {
  private readonly plan = createPlanView({ run: (kind) => void this.run(kind) });
  private readonly table = createTableView({
    select: (name) => this.set({ variant: this.state.variant === name ? null : name }),
    choose: (name, on) => this.choose(name, on),
    explore: (name, seed) => this.explore(name, seed),
  });
  private readonly runs = createRunsView({ explore: (name, seed) => this.explore(name, seed) });
  private readonly phase = h("b", { class: "dwg-phase", "data-testid": "phase" });
  private readonly progress = h("span", { class: "dwg-progress-text", "data-testid": "progress" });
  private readonly bar = h("progress", { max: 1, "aria-label": "Progress of the study", "data-testid": "bar" });
  private readonly message = h("p", { class: "dwg-message", role: "alert", "data-testid": "message" });
  private readonly measure = createRadioGroup({
    label: "Compare by",
    prefix: "measure",
    choices: CHOICES,
    pick: (measure) => this.set({ measure }),
  });

  constructor(context: RenderContext<AblationState>, store: AblationStore) {
    super(context, store, "panel", "ablation-panel");
    const menu = createExportMenu({ groups: FILES, save: (file) => this.save(file), copy: this.copy });
    const line = h("div", { class: "dwg-progress-line" }, this.phase, this.progress);
    const compare = h("div", { class: "dwa-compare" }, h("span", { class: "dwg-small" }, "Compare by"), this.measure.element);
    const study = h(
      "section",
      { class: "dwa-study", "aria-label": "Study" },
      h("div", { class: "dwg-progress" }, line, this.bar, this.message),
      compare,
      this.table.element,
      this.runs.element,
    );
    this.mount({
      label: "Ablation panel",
      className: "dwg",
      tools: [menu],
      main: [h("div", { class: "dwg-main" }, this.plan.element, study)],
      footer: [[keyHint([["↑", "↓"], "variant"]), keyHint([["E"], "explore it"])]],
    });
  }

  override close(): void {
    this.runs.close();
    super.close();
  }

  override focusMain(): void {
    this.table.focus(this.state.variant);
  }

  protected override isLoaded(): boolean {
    return this.store.status !== null;
  }

  protected override onKey({ key, target }: KeyboardEvent): boolean {
    const names = this.store.status?.table.rows.map(({ variant }) => variant.name) ?? [];
    const { variant } = this.state;
    if (target instanceof HTMLInputElement || !names.length) return false;
    if (key.toLowerCase() === "e" && variant !== null) {
      this.explore(variant, null);
      return true;
    }
    const inTable = target instanceof Node && this.table.element.contains(target);
    if (!inTable || (key !== "ArrowDown" && key !== "ArrowUp")) return false;
    const place = variant === null ? -1 : names.indexOf(variant);
    const next = names[Math.max(0, Math.min(names.length - 1, place + (key === "ArrowDown" ? 1 : -1)))] ?? null;
    this.set({ variant: next });
    this.drawAll();
    this.table.focus(next);
    return true;
  }

  protected override draw(): void {
    const { status, client } = this.store;
    this.root.dataset.ready = String(status !== null);
    if (!status) return;
    this.header?.update(headerContent(status));
    this.plan.update({ status, state: this.state, busy: this.busy, available: client.available });
    setText(this.phase, describePhase(status));
    setText(this.progress, describeProgress(status));
    this.bar.value = doneShare(status.table);
    this.bar.hidden = !status.table.rows.length;
    setText(this.message, status.message);
    this.message.hidden = !status.message;
    this.measure.show(this.state.measure);
    this.measure.hide("top5", status.table.classes <= 5);
    this.table.update(status, this.state);
    this.runs.update(status, this.state);
  }

  private choose(name: string, on: boolean): void {
    const names = this.store.status?.table.rows.map(({ variant }) => variant.name) ?? [];
    const chosen = names.filter((one) => (one === name ? on : this.state.chosen === null || this.state.chosen.includes(one)));
    this.set({ chosen: chosen.length === names.length ? null : chosen });
  }

  private explore(variant: string, seed: number | null): void {
    void this.showing?.show("LayerExplorer", { state: {}, run: [variant, seed] });
  }

  /** Start or cancel the study. */
  private run(kind: "start" | "cancel"): Promise<void> {
    return this.sendCommand(kind, kind === "start" ? { variants: this.state.chosen } : {}, { lane: "work" });
  }

  private save(file: AblationFile): void {
    if (this.store.status && completeRuns(this.store.status.table)) void this.download("file", { file }, file);
    else this.showStatus("There is nothing to export before the first complete run.");
  }
}

function headerContent({ table }: Status): HeaderContent {
  const title = table.images ? `trained on ${table.images}` : `study in ${table.folder}`;
  return {
    model: table.rows.length ? `${table.rows.length} variants` : "",
    title,
    warnings: [],
    origin: studyFacts(table),
    notes: table.notes,
  };
}

export default defineWidget<AblationState, AblationStore>(
  (model) => new AblationStore(model),
  (context, store) => new AblationPanelView(context, store),
);
