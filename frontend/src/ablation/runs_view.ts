/** The runs of the variant that is shown in detail, and its curves beside those of the others. */
import { h, setText } from "../ui/dom.ts";
import { createLinePlot } from "../ui/line_plot.ts";
import { curvesOf, titleOf } from "./curves.ts";
import { describeRun } from "./texts.ts";
import type { AblationState, Run, Status } from "./wire.ts";

const TITLES = {
  top1: "Validation top-1 error",
  top5: "Validation top-1 error",
  train: "Training top-1 error, with dropout and random crops",
};

export function createRunsView({ explore }: { explore: (variant: string, seed: number) => void }) {
  const plot = createLinePlot({ label: "Errors of the variants by epoch", xTitle: "epoch", yTitle: "", hover: () => {} });
  const title = h("h3", {});
  const runsTitle = h("h3", {});
  const runs = h("ul", { class: "dwa-runs", "data-testid": "runs" });
  const hint = h("p", { class: "dwg-small" }, "Select a variant to see its runs.");
  const notes = h("ul", { class: "dwa-notes dwg-small", "data-testid": "study-notes" });
  const curves = h("section", { class: "dwa-curves", "aria-label": "Curves" }, title, h("div", { class: "dwg-plot-body" }, plot.element));
  const list = h("section", { class: "dwa-list", "aria-label": "Runs" }, runsTitle, hint, runs, notes);
  const element = h("div", { class: "dwa-below" }, curves, list);
  let drawn = "";

  const createRun = (run: Run, explorable: boolean) => {
    const name = `Explore ${run.variant}, seed ${run.seed}`;
    const open = { type: "button", class: "dwx-menu-button", "aria-label": name, onclick: () => explore(run.variant, run.seed) };
    const failed = run.phase === "failed" && run.message ? h("p", { class: "dwa-failed" }, run.message) : null;
    const button = explorable && run.epoch > 0 ? h("button", open, "Explore") : null;
    return h("li", { title: run.folder }, h("b", {}, `seed ${run.seed}`), h("span", {}, describeRun(run)), button, failed);
  };

  const update = ({ table, explorable }: Status, state: AblationState) => {
    const key = JSON.stringify([table, state, explorable]);
    if (key === drawn) return;
    drawn = key;
    element.hidden = !table.rows.length;
    const content = curvesOf(table, state.measure, state.variant);
    setText(title, titleOf(TITLES[state.measure], table, content));
    plot.update(content);
    const row = table.rows.find(({ variant }) => variant.name === state.variant);
    setText(runsTitle, row ? `Runs of ${row.variant.name}` : "Runs");
    hint.hidden = row !== undefined;
    runs.replaceChildren(...(row?.runs ?? []).map((run) => createRun(run, explorable)));
    notes.replaceChildren(...table.notes.map((note) => h("li", {}, note)));
  };
  return { element, update, close: plot.close };
}
