/** The middle column of the panel: progress and chart of a run. */
import { Chart } from "../ui/chart.ts";
import { h, setText } from "../ui/dom.ts";
import type { Choice } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import { createRunProgress } from "./run_progress.ts";
import type { TransferStore } from "./store.ts";
import { TrainingChart } from "./training_chart.ts";
import type { ChartTab, RunSummary, TransferState } from "./wire.ts";

const TABS: Choice<ChartTab>[] = [
  ["training", "Training", "Accuracy at each training step"],
  ["curve", "Learning curve", "Accuracy by number of training images per class, compared with the paper"],
];
const STEPS: [string, string][] = [
  ["Features", "The features of the selected layer are computed for each photograph; the network itself does not change."],
  [
    "Train and test",
    "A softmax classifier is trained on the features of some photographs and tested on the others. Each fold is another random split.",
  ],
  [
    "Results",
    "The accuracy, compared with the paper’s, and the most confused classes. “Use this head” puts the new classifier to use in all widgets of the service.",
  ],
];
const RUNNING = ["waiting", "features", "training", "curve"];

/** Return the message for a run without a learning curve; empty if it has one. */
function describeEmptyCurve({ curve, per_fold, phase }: RunSummary): string {
  if (curve || per_fold.length > 0) return "";
  return RUNNING.includes(phase) ? "The learning curve appears with the first fold." : "This run has no learning curve.";
}

interface RunViewContent {
  /** Null before the first run. */
  shown: RunSummary | null;
  compared: RunSummary | null;
  running: number | null;
  state: TransferState;
}

export function createRunView({ id, store, set }: { id: string; store: TransferStore; set: (patch: Partial<TransferState>) => void }) {
  let chart: Chart | null = null;
  const title = h("h3", { "data-testid": "run-title" });
  const progress = createRunProgress();
  const training = new TrainingChart(store.client);
  const panel = h("div", { class: "dwt-chart-panel" });
  const panels = { training: training.element, curve: panel };
  const tabs = createTabs({ id, label: "Chart", prefix: "tab", testid: "tabs", tabs: TABS, panels, pick: (tab) => set({ tab }) });
  const steps = STEPS.map(([name, text]) => h("li", {}, h("b", {}, name), h("span", {}, text)));
  const introduction = h("ol", { class: "dwx-steps", "data-testid": "story" }, ...steps);
  const run = h("div", { class: "dwt-run" }, progress.element, h("div", { class: "dwt-tabs" }, tabs.element), training.element, panel);
  const showRunning = () => set({ run: null, cell: null });
  const showRunningButton = h("button", { type: "button", class: "dwt-show-running", "data-testid": "show-running", onclick: showRunning });
  const element = h("section", { class: "dwt-live", "aria-label": "Run" }, title, introduction, showRunningButton, run);

  const drawCurve = (shown: RunSummary, compared: RunSummary | null) => {
    if (!chart) {
      chart = new Chart({ client: store.client, plotly: store.plotly });
      panel.append(chart.element);
    }
    const empty = describeEmptyCurve(shown);
    const version = JSON.stringify([shown, compared].map((summary) => summary && [summary.per_fold.length, summary.curve]));
    if (empty) chart.clear(empty);
    else chart.show({ run: shown.run, tab: "curve", compare: compared?.run ?? null }, version);
  };

  const update = ({ shown, compared, running, state }: RunViewContent) => {
    introduction.hidden = Boolean(shown);
    run.hidden = !shown;
    showRunningButton.hidden = !shown || running === null || running === shown.run;
    setText(showRunningButton, `Show run ${running} (running)`);
    const text = shown
      ? `Run ${shown.run}: ${shown.layer} · ${shown.images_per_class} per class · ${shown.dataset}`
      : "What “Retrain” does";
    setText(title, text);
    title.title = text;
    if (!shown) return;
    progress.update(shown);
    tabs.show(state.tab);
    training.show(shown);
    if (state.tab === "curve") drawCurve(shown, compared);
  };
  const close = () => {
    training.close();
    chart?.close();
  };
  return { element, update, close };
}
