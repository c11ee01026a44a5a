/** The chart of the training: the accuracy at each step on one axis. The search for the weight decay is shown on demand. */
import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { h, setText } from "../ui/dom.ts";
import { createLinePlot } from "../ui/line_plot.ts";
import { describeStep, describeTraining, type LegendItem, type TrainingContent, trainingContent } from "./training_lines.ts";
import type { RunSummary, TrainingReply } from "./wire.ts";

const INTERVAL = 200; // ms between two requests
const SEARCH_HINT =
  "A fifth of the training images is held out to choose the weight decay of each fold; then the classifier is trained on all of them";
const NOTHING_YET: Partial<Record<RunSummary["phase"], string>> = {
  waiting: "Training starts when the run begins.",
  features: "Training starts when the features of all photographs are computed.",
  training: "The first training step is being computed.",
};

export class TrainingChart {
  readonly element: HTMLElement;
  private readonly plot = createLinePlot({
    label: "Accuracy by training step",
    xTitle: "training step",
    yTitle: "accuracy",
    hover: (step) => this.read(step),
  });
  private readonly message = h("p", { class: "dwx-chart-message", "data-testid": "chart-words" });
  private readonly caption = h("p", { class: "dwt-small dwt-chart-caption", "data-testid": "chart-caption" });
  private readonly legend = h("ul", { class: "dwt-training-legend", "data-testid": "chart-legend" });
  private readonly search = h("input", { type: "checkbox", "data-testid": "show-search" });
  private readonly searchRow = h(
    "label",
    { class: "dwt-check dwt-show-search", title: SEARCH_HINT },
    this.search,
    "Show the search for the weight decay",
  );
  private summary: RunSummary | null = null;
  private reply: TrainingReply | null = null;
  private content: TrainingContent = trainingContent(null, { per_fold: [], classes: 0, folds: 1 });
  private requested = "";
  private received = "";
  private error = "";
  private lastRequest = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private drawnKey = "";

  constructor(private readonly client: KernelClient) {
    this.search.addEventListener("change", () => this.summary && this.show(this.summary));
    const body = h("div", { class: "dwt-plot-body" }, this.plot.element, this.message);
    this.element = h(
      "div",
      { class: "dwt-training-chart", "data-testid": "training-chart" },
      this.caption,
      body,
      this.legend,
      this.searchRow,
    );
  }

  close(): void {
    clearTimeout(this.timer);
    this.plot.close();
    this.client.release(this);
  }

  /** Show a run. Its steps are requested again when there are more. */
  show(summary: RunSummary): void {
    if (summary.run !== this.summary?.run) {
      this.reply = null;
      this.received = this.error = "";
    }
    this.summary = summary;
    const requested = JSON.stringify([summary.run, this.search.checked, summary.phase, summary.steps]);
    if (requested !== this.requested) this.error = "";
    this.requested = requested;
    this.searchRow.hidden = summary.weight_decay !== null || !summary.per_fold.length;
    this.schedule();
    this.draw();
  }

  private schedule(): void {
    const { summary, client, timer } = this;
    if (!summary?.steps || this.requested === this.received || this.error || timer !== undefined || !client.available) return;
    this.timer = setTimeout(() => void this.fetch(), Math.max(0, this.lastRequest + INTERVAL - performance.now()));
  }

  private async fetch(): Promise<void> {
    const { requested, summary } = this;
    this.lastRequest = performance.now();
    try {
      const fields = { run: summary?.run, search: this.search.checked };
      const reply = await this.client.request<TrainingReply>("training", fields, { owner: this, fresh: true, priority: 5 });
      if (reply && summary?.run === this.summary?.run) {
        this.reply = reply.content;
        this.received = requested;
      }
    } catch (error) {
      if (!(error instanceof KernelUnavailable)) this.error = errorMessage(error); // else requested when the kernel is available again
    }
    this.timer = undefined;
    this.schedule();
    this.draw();
  }

  private draw(): void {
    const { summary, reply } = this;
    if (!summary) return;
    const key = JSON.stringify([summary.run, summary.per_fold, summary.phase, summary.classes, this.received, this.error]);
    if (key === this.drawnKey) return;
    this.drawnKey = key;
    this.content = trainingContent(reply, summary);
    this.plot.update(this.content.plot);
    setText(this.message, this.error || (this.content.plot.lines.length ? "" : this.describeEmpty(summary)));
    this.legend.replaceChildren(...this.content.legend.map(createItem));
    this.read(null);
    this.element.dataset.drawn = String(this.content.plot.lines.length > 0);
  }

  private describeEmpty({ phase, steps }: RunSummary): string {
    return steps ? "Loading the chart…" : (NOTHING_YET[phase] ?? "This run has no data for a chart.");
  }

  private read(step: number | null): void {
    const { summary, content, reply } = this;
    const reading = step === null ? "" : describeStep(content, step);
    setText(this.caption, reading || (summary ? describeTraining(reply, summary) : ""));
  }
}

function createItem({ className, mark, text, value }: LegendItem): HTMLElement {
  const swatch = h("i", { class: `dwt-mark dwt-mark-${mark} ${className}`, "aria-hidden": "true" });
  return h("li", {}, swatch, h("span", {}, text), h("b", {}, value));
}
