import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { createExportMenu, type ExportGroup } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import type { HeaderContent } from "../ui/header.ts";
import { StatusView } from "../ui/status_view.ts";
import { createCharts } from "./charts.ts";
import { createCodeView } from "./code_view.ts";
import { createPlanView } from "./plan_view.ts";
import { createProgressView } from "./progress_view.ts";
import { TrainingStore } from "./store.ts";
import { planFacts } from "./texts.ts";
import type { Status, TrainingFile, TrainingState } from "./wire.ts";

const FILES: ExportGroup<TrainingFile>[] = [
  [
    "Curves",
    [
      ["training.png", "PNG"],
      ["training.svg", "SVG"],
      ["training.pdf", "PDF"],
    ],
  ],
  ["Numbers of each epoch", [["training.csv", "CSV"]]],
];

/** One view of a TrainingPanel. */
class TrainingPanelView extends StatusView<TrainingState, TrainingStore> {
  private readonly plan = createPlanView({ run: (kind) => void this.run(kind) });
  private readonly progress = createProgressView();
  private readonly charts = createCharts({ set: (patch) => this.set(patch), redraw: () => this.requestDraw() });
  private readonly code = createCodeView({ copy: (text) => this.copyText(text, "Copied the code.") });

  constructor(context: RenderContext<TrainingState>, store: TrainingStore) {
    super(context, store, "panel", "training-panel");
    const menu = createExportMenu({ groups: FILES, save: (file) => this.save(file), copy: this.copy });
    const curves = h(
      "section",
      { class: "dwg-curves", "aria-label": "Training" },
      this.progress.element,
      this.charts.element,
      this.code.element,
    );
    this.mount({
      label: "Training panel",
      className: "dwg",
      tools: [menu],
      main: [h("div", { class: "dwg-main" }, this.plan.element, curves)],
      footer: [[keyHint([["←", "→"], "on the curves: read an epoch"])]],
    });
  }

  override close(): void {
    this.charts.close();
    super.close();
  }

  override focusMain(): void {
    this.charts.element.focus();
  }

  protected override isLoaded(): boolean {
    return this.store.log !== null;
  }

  protected override onKey(event: KeyboardEvent): boolean {
    return this.charts.onKey(event);
  }

  protected override draw(): void {
    const { status, log, client } = this.store;
    this.root.dataset.ready = String(status !== null && (log !== null || !status.epochs));
    if (!status) return;
    void this.store.fetchLog();
    this.header?.update(headerContent(status));
    this.plan.update({ status, busy: this.busy, available: client.available });
    this.progress.update(status);
    this.charts.update(status, this.state, log);
    this.code.update(status);
  }

  /** Start or cancel the training. */
  private run(kind: "start" | "cancel"): Promise<void> {
    return this.sendCommand(kind, {}, { lane: "work" });
  }

  private save(file: TrainingFile): void {
    if (this.store.status?.epochs) void this.download("file", { file }, file);
    else this.showStatus("There is nothing to export before the first epoch.");
  }
}

function headerContent({ plan, folder, progress }: Status): HeaderContent {
  const where = progress?.host ? [["Process", `${progress.process} on ${progress.host}`] as [string, string]] : [];
  const origin: HeaderContent["origin"] = [...(plan ? planFacts(plan, folder) : [["Folder", folder] as [string, string]]), ...where];
  const title = plan?.images ? `training on ${plan.images}` : `training in ${folder}`;
  return { model: plan?.model ?? "", title, warnings: [], origin, notes: [] };
}

export default defineWidget<TrainingState, TrainingStore>(
  (model) => new TrainingStore(model),
  (context, store) => new TrainingPanelView(context, store),
);
