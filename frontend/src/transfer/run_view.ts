import { ChartHost } from "../ui/plotly_chart.ts";
import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { createProgress } from "./run_progress.ts";
import type { TransferWire } from "./wire.ts";
import type { WidgetModel } from "../kernel/model.ts";
import type { RunSummary, TransferState } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

/* The middle of the panel: where the run is, and its chart, a plotly figure that lives in the kernel. */

const CHART_TABS: Choice[] = [
  ["training", "Training", "Loss and accuracy, step by step"],
  ["curve", "By number of images", "Accuracy by number of training images a class, beside the paper's"],
];
const STORY: [string, string][] = [
  [
    "Features",
    "Every photograph goes through the network, as far as the chosen layer. What that layer answers is kept; the network itself does not change.",
  ],
  [
    "Train and test",
    "A softmax classifier learns the new classes from a few of those answers, and is tested on photographs that it has not seen. Each fold draws anew.",
  ],
  [
    "Results",
    "How often it is right, beside what the paper reports, and which classes it confuses. “Use this head” puts it in the network's place.",
  ],
];

/**
 * Why a run has no chart yet, if so.
 * @param shown the run
 */
function nothingWords({ steps, per_fold, phase }: RunSummary) {
  if (steps > 0 || per_fold.length > 0) return "";
  const goesOn = ["waiting", "features", "training", "curve"].includes(phase);
  return goesOn ? "The curves begin with the first step of the training." : "There is nothing to draw of this run.";
}

export function createLive({
  model,
  wire,
  set,
}: {
  /** anywidget's */
  model: WidgetModel;
  wire: TransferWire;
  set: (patch: Partial<TransferState>) => void;
}) {
  const title = h("h3", { "data-testid": "run-title" });
  const progress = createProgress();
  const tabs = createRadioGroup({ label: "Chart", prefix: "tab", testid: "tabs", choices: CHART_TABS, pick: (tab) => set({ tab }) });
  const host = new ChartHost(model, () => void wire.ask("chart").catch(() => {})); // a silent kernel is told of elsewhere
  const story = h(
    "ol",
    { class: "dwt-story", "data-testid": "story" },
    ...STORY.map(([name, words]) => h("li", {}, h("b", {}, name), h("span", {}, words))),
  );
  const run = h("div", { class: "dwt-run" }, progress.element, h("div", { class: "dwt-tabs" }, tabs.element), host.element);
  const other = h("button", {
    type: "button",
    class: "dwt-other",
    "data-testid": "show-running",
    onclick: () => set({ run: null, cell: null }),
  });
  const element = h("section", { class: "dwt-live", "aria-label": "The run" }, title, story, other, run);

  /** @param what the shown run; null before there is any */
  const update = ({ shown, running, state }: { shown: RunSummary | null; running: number | null; state: TransferState }) => {
    story.hidden = Boolean(shown);
    run.hidden = !shown;
    other.hidden = !shown || running === null || running === shown.run;
    setText(other, `Run ${running} goes on: show it`);
    setText(
      title,
      shown ? `Run ${shown.run}: ${shown.layer} · ${shown.images_per_class} a class · ${shown.dataset}` : "What “Retrain” does",
    );
    title.title = title.textContent ?? "";
    if (!shown) return;
    progress.update(shown);
    tabs.show(state.tab);
    host.update(nothingWords(shown));
  };
  return { element, update, close: () => host.close() };
}
