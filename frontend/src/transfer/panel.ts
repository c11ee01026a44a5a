import { RunPanelView } from "../classification/run_panel_view.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { createExportMenu, type ExportGroup } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import type { HeaderContent } from "../ui/header.ts";
import { provenance, shortWarnings } from "../ui/provenance.ts";
import { describeUnits } from "../ui/unit_badge.ts";
import { Results } from "./results.ts";
import { shownRun } from "./run_results.ts";
import { createRunView } from "./run_view.ts";
import { createSetup, settingsOf } from "./setup.ts";
import { TransferStore } from "./store.ts";
import type { DataSummary, HelloReply, ResultFile, Status, TransferState } from "./wire.ts";

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
  ["Test photographs", [["photographs.csv", "CSV"]]],
  ["Classes", [["classes.csv", "CSV"]]],
  ["Calibration", [["calibration.csv", "CSV"]]],
];

/** One view of a TransferPanel. */
class TransferPanelView extends RunPanelView<TransferState, Status, DataSummary, TransferStore> {
  private readonly setup = createSetup({
    client: this.store.client,
    set: (patch) => this.set(patch),
    showStatus: (text) => this.showStatus(text),
    start: () => this.start(),
    stop: () => void this.startOrStop("stop", {}),
    refresh: () => this.requestDraw(),
  });
  private readonly runView: ReturnType<typeof createRunView>;
  private readonly results = new Results({
    id: this.id,
    store: this.store,
    set: (patch) => this.set(patch),
    showStatus: (text) => this.showStatus(text),
    why: (run, source) => void this.showing?.why({ run, source }),
  });
  constructor(context: RenderContext<TransferState>, store: TransferStore) {
    super(context, store, "panel", "transfer-panel");
    this.runView = createRunView({ id: this.id, store, set: (patch) => this.set(patch) });
    const menu = createExportMenu({ groups: FILES, save: (file) => this.save(file), copy: this.copy });
    const main = h("div", { class: "dwt-main" }, this.setup.element, this.runView.element, this.results.element);
    this.mount({
      label: "Transfer panel",
      className: "dwt",
      tools: [menu],
      main: [main],
      footer: [[keyHint([["Enter"], "in a field: retrain"]), keyHint([["W"], "on a photograph: why?"])]],
    });
  }

  override close(): void {
    for (const part of [this.setup, this.runView, this.results]) part.close();
    super.close();
  }

  protected override isLoaded(next: TransferState): boolean {
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
    this.setup.update({ status, state, host, busy: this.busy, available, ...this.dataContent(this.store.dataSummary(settingsOf(state))) });
    const compared = status.runs.find(({ run }) => run === state.compare) ?? null;
    this.runView.update({ shown: shownRun(status, state), compared, running: status.running, state });
    this.results.update(status, state);
  }

  private start(): void {
    this.state = { ...this.state, run: null, cell: null, tab: "training" };
    this.saveNow();
    void this.startOrStop("start", { settings: settingsOf(this.state) });
  }

  private save(file: ResultFile): void {
    const shown = shownRun(this.store.status, this.state);
    if (shown?.per_fold.length) void this.download("file", { run: shown.run, file }, `transfer-run${shown.run}-${file}`);
    else this.showStatus("There are no results to export yet.");
  }
}

function headerContent({ overview, status }: HelloReply): HeaderContent {
  const shown = { ...overview, classifier: status.classifier, skipped: [] }; // the files of the data are listed beside them
  const units = describeUnits(overview.units);
  const title = `train a new classifier on the features of the network${units ? `, ${units}` : ""}`;
  return { model: overview.model, title, warnings: shortWarnings(shown), origin: provenance(shown), notes: [] };
}

export default defineWidget<TransferState, TransferStore>(
  (model) => new TransferStore(model),
  (context, store) => new TransferPanelView(context, store),
);
