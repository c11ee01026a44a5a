import { RunPanelView } from "../classification/run_panel_view.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { createExportMenu, type ExportGroup } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings } from "../ui/provenance.ts";
import { shownRun } from "./results.ts";
import { ResultsPane } from "./results_pane.ts";
import { createSetup, settingsOf } from "./setup.ts";
import { EvaluationStore } from "./store.ts";
import type { DataSummary, EvaluationState, HelloReply, ResultFile, Status } from "./wire.ts";

const FILES: ExportGroup<ResultFile>[] = [
  [
    "Results",
    [
      ["results.png", "PNG"],
      ["results.svg", "SVG"],
      ["results.pdf", "PDF"],
      ["results.html", "HTML"],
    ],
  ],
  ["Photographs", [["photographs.csv", "CSV"]]],
  ["Classes", [["classes.csv", "CSV"]]],
];

/** One view of an EvaluationPanel. */
class EvaluationPanelView extends RunPanelView<EvaluationState, Status, DataSummary, EvaluationStore> {
  private readonly setup = createSetup({
    set: (patch) => this.set(patch),
    showStatus: (text) => this.showStatus(text),
    start: () => this.start(),
    stop: () => void this.startOrStop("stop", {}),
    refresh: () => this.requestDraw(),
  });
  private readonly results = new ResultsPane({
    id: this.id,
    store: this.store,
    set: (patch) => this.set(patch),
    showStatus: (text) => this.showStatus(text),
    why: (source, target) => this.why(source, target),
  });
  constructor(context: RenderContext<EvaluationState>, store: EvaluationStore) {
    super(context, store, "panel", "evaluation-panel");
    const menu = createExportMenu({ groups: FILES, save: (file) => this.save(file), copy: this.copy });
    const main = h("div", { class: "dwe-main" }, this.setup.element, this.results.element);
    const hints = [keyHint([["Enter"], "in a field: evaluate"]), keyHint([["W"], "on a photograph: why?"])];
    this.mount({ label: "Evaluation panel", className: "dwe", tools: [menu], main: [main], footer: [hints] });
  }

  override close(): void {
    for (const part of [this.setup, this.results]) part.close();
    super.close();
  }

  protected override isLoaded(next: EvaluationState): boolean {
    return this.results.isLoaded(shownRun(this.store.status, next));
  }

  protected override draw(): void {
    const { hello } = this.store;
    this.root.dataset.ready = String(hello !== null);
    if (!hello) return;
    const { state } = this;
    const { status } = hello;
    const host = hello.overview.host ?? "";
    const { available } = this.store.client;
    this.header?.update(headerContent(hello));
    const data = this.dataContent(this.store.dataSummary(settingsOf(state)));
    this.setup.update({ status, state, host, busy: this.busy, available, ...data });
    this.results.update(status, state, data.summary);
  }

  private start(): void {
    const show = this.state.show === "names" ? "summary" : this.state.show;
    this.state = { ...this.state, run: null, before: null, cell: null, show };
    this.saveNow();
    void this.startOrStop("start", { settings: settingsOf(this.state) });
  }

  private why(source: number, target: string | null): void {
    const shown = shownRun(this.store.status, this.state);
    if (shown) void this.showing?.why({ run: shown.run, source }, target === null ? null : { target, against: null });
  }

  private save(file: ResultFile): void {
    const shown = shownRun(this.store.status, this.state);
    if (shown?.photographs) void this.download("file", { run: shown.run, file }, `evaluation-run${shown.run}-${file}`);
    else this.showStatus("There are no results to export yet.");
  }
}

function headerContent({ overview }: HelloReply): HeaderContent {
  const shown = { ...overview, skipped: [] }; // the files of the data are listed beside them
  const title = overview.classifier ?? "predicts nothing";
  return { model: overview.model, title, warnings: shortWarnings(shown), origin: provenance(shown), notes: [] };
}

export default defineWidget<EvaluationState, EvaluationStore>(
  (model) => new EvaluationStore(model),
  (context, store) => new EvaluationPanelView(context, store),
);
