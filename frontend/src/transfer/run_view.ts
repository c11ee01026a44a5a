/** The middle of the panel: where the run is, and its chart. */
import { Chart } from "../ui/chart.ts";
import { h, setText } from "../ui/dom.ts";
import type { Choice } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import { createRunProgress } from "./run_progress.ts";
import type { TransferStore } from "./store.ts";
import type { ChartTab, RunSummary, TransferState } from "./wire.ts";

const TABS: Choice<ChartTab>[] = [
  ["training", "Training", "Loss and accuracy at each step"],
  ["curve", "Learning curve", "Accuracy by number of training images per class, beside the paper's"],
];
const STEPS: [string, string][] = [
  [
    "Features",
    "Every photograph is run through the network up to the chosen layer. Its features are kept; the network itself does not change.",
  ],
  [
    "Train and test",
    "A softmax classifier is trained on the features of some photographs and tested on the others. Each fold is another random split.",
  ],
  ["Results", "The accuracy beside the paper's, and which classes are confused. “Use this head” makes it the network's classifier."],
];
const RUNNING = ["waiting", "features", "training", "curve"];

/** Return why a run has no chart yet, empty where it has one. */
function describeEmptyChart({ steps, per_fold, phase }: RunSummary): string {
  if (steps > 0 || per_fold.length > 0) return "";
  return RUNNING.includes(phase) ? "The chart appears with the first training step." : "This run has nothing to chart.";
}

interface RunViewContent {
  /** Null before there is any. */
  shown: RunSummary | null;
  compared: RunSummary | null;
  running: number | null;
  state: TransferState;
}

export function createRunView({ id, store, set }: { id: string; store: TransferStore; set: (patch: Partial<TransferState>) => void }) {
  let chart: Chart | null = null;
  const title = h("h3", { "data-testid": "run-title" });
  const progress = createRunProgress();
  const panel = h("div", { class: "dwt-chart-panel" });
  const panels = { training: panel, curve: panel };
  const tabs = createTabs({ id, label: "Chart", prefix: "tab", testid: "tabs", tabs: TABS, panels, pick: (tab) => set({ tab }) });
  const steps = STEPS.map(([name, words]) => h("li", {}, h("b", {}, name), h("span", {}, words)));
  const story = h("ol", { class: "dwt-story", "data-testid": "story" }, ...steps);
  const run = h("div", { class: "dwt-run" }, progress.element, h("div", { class: "dwt-tabs" }, tabs.element), panel);
  const showRunning = () => set({ run: null, cell: null });
  const other = h("button", { type: "button", class: "dwt-other", "data-testid": "show-running", onclick: showRunning });
  const element = h("section", { class: "dwt-live", "aria-label": "Run" }, title, story, other, run);

  const drawChart = (shown: RunSummary, compared: RunSummary | null, tab: ChartTab) => {
    if (!chart) {
      chart = new Chart({ client: store.client, plotly: store.plotly });
      panel.append(chart.element);
    }
    const empty = describeEmptyChart(shown);
    if (empty) chart.clear(empty);
    else if (tab === "training") chart.show({ run: shown.run, tab }, `${shown.phase} ${shown.steps}`);
    else {
      const version = JSON.stringify([shown, compared].map((one) => one && [one.per_fold.length, one.curve]));
      chart.show({ run: shown.run, tab, compare: compared?.run ?? null }, version);
    }
  };

  const update = ({ shown, compared, running, state }: RunViewContent) => {
    story.hidden = Boolean(shown);
    run.hidden = !shown;
    other.hidden = !shown || running === null || running === shown.run;
    setText(other, `Run ${running} is running: show it`);
    const words = shown
      ? `Run ${shown.run}: ${shown.layer} · ${shown.images_per_class} per class · ${shown.dataset}`
      : "What “Retrain” does";
    setText(title, words);
    title.title = words;
    if (!shown) return;
    progress.update(shown);
    tabs.show(state.tab);
    drawChart(shown, compared, state.tab);
  };
  return { element, update, close: () => chart?.close() };
}
