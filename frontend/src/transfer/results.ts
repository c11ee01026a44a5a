import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { CellPane } from "./cell_pane.ts";
import { ClassList } from "./class_list.ts";
import { ConfusionMatrix } from "./confusion_matrix.ts";
import { HeadActions } from "./head_actions.ts";
import { createHeadline, runWords } from "./headline.ts";
import { Mistakes } from "./mistakes.ts";
import { PhotographStore } from "./photographs.ts";
import { readRun, runVersion, shownRun } from "./run_results.ts";
import { createRunSummary } from "./run_summary.ts";
import type { RunView } from "./run_results.ts";
import type { Choice } from "../ui/radio_group.ts";

const RESULT_TABS: Choice[] = [
  ["summary", "Summary", "Which classes are confused, at a glance"],
  ["confusion", "Confusion matrix", "What each class was taken for"],
  ["classes", "Classes", "Best and worst classes with their photographs"],
  ["mistakes", "Mistakes", "The mistakes of which the head was surest"],
];
const RUNS_KEPT = 6; // runs' results

/** The results of a run: how good, what was confused with what, and the photographs behind every number. */
class Results {
  wire: any;
  content: { status: any; state: any };
  /** by version */
  views: Map<string, RunView>;
  /** each run's last results: they stay until newer ones are there */
  latest: Map<number, RunView>;
  /** by version: why results did not come */
  failures: Map<string, string>;
  /** runs whose results are asked for: a newer version waits, or quick folds would overtake every answer */
  asked: Set<number>;
  closed: boolean;
  store: PhotographStore;
  actions: HeadActions;
  headline: ReturnType<typeof createHeadline>;
  runs: ReturnType<typeof createRunChoice>;
  tabs: ReturnType<typeof createRadioGroup>;
  cell: CellPane;
  matrix: ConfusionMatrix;
  summary: ReturnType<typeof createRunSummary>;
  classes: ClassList;
  mistakes: Mistakes;
  empty: HTMLElement | undefined;
  failure: HTMLElement | undefined;
  panels: Record<string, HTMLElement>;
  nav: HTMLElement | undefined;
  body: HTMLElement | undefined;
  top: HTMLElement | undefined;
  element: HTMLElement | undefined;

  constructor({ wire, set, say, id }: { wire: any; set: (patch: any) => void; say: (words: string) => void; id: string }) {
    this.wire = wire;
    this.content = { status: null, state: {} };
    this.views = new Map();
    this.latest = new Map();
    this.failures = new Map();
    this.asked = new Set();
    this.closed = false;
    this.store = new PhotographStore({ wire });
    this.actions = new HeadActions({ wire, say, id });
    this.headline = createHeadline();
    this.runs = createRunChoice(set);
    this.tabs = createRadioGroup({
      label: "Results",
      testid: "results-tabs",
      prefix: "show",
      choices: RESULT_TABS,
      pick: (show) => set({ show }),
    });
    // Who chooses a cell wants to see its photographs, also where they stand beneath the matrix.
    const choose = (cell: [number, number]) => {
      this.cell.reveal();
      set({ show: "confusion", cell });
    };
    this.cell = new CellPane({ store: this.store, choose, clear: () => set({ cell: null }) });
    this.matrix = new ConfusionMatrix({ set, choose, leave: () => this.focusTab() });
    this.summary = createRunSummary({ set, choose });
    this.classes = new ClassList({ store: this.store, set, choose });
    this.mistakes = new Mistakes({ store: this.store, choose });
    this.build();
  }

  build() {
    this.empty = h("p", { class: "dwt-empty", "data-testid": "results-empty" });
    this.failure = h("p", { class: "dwx-error", role: "alert", hidden: true, "data-testid": "results-failure" });
    const confusion = h("div", { class: "dwt-matrix-and-cell" }, this.matrix.element, this.cell.element);
    this.panels = { summary: this.summary.element, confusion, classes: this.classes.element, mistakes: this.mistakes.element };
    this.nav = h("div", { class: "dwt-nav" }, this.tabs.element);
    const top = h("div", { class: "dwt-results-top" }, this.headline.element, this.actions.element);
    this.body = h("div", { class: "dwt-results-body" }, ...Object.values(this.panels));
    this.top = top;
    const parts = [this.runs.element, top, this.empty, this.failure, this.nav, this.body];
    this.element = h("section", { class: "dwt-results", "aria-label": "Results", "data-testid": "results" }, ...parts);
  }

  focusTab() {
    (this.tabs.element.querySelector("[aria-checked=true]") as HTMLElement | null)?.focus();
  }

  close() {
    this.closed = true;
    for (const part of [this.matrix, this.cell, this.classes, this.mistakes, this.store]) part.close();
    this.element.remove();
  }

  update(content: { status: any; state: any }) {
    const { state } = this.content;
    if (["run", "compare", "show"].some((name) => state[name] !== content.state[name])) this.failures.clear(); // who comes back tries again
    this.content = content;
    this.draw();
  }

  /** A run's newest results, asked for where they are not there. */
  results(summary: any) {
    if (!summary?.per_fold.length) return null;
    const version = runVersion(summary);
    if (!this.views.has(version) && !this.asked.has(summary.run) && !this.failures.has(version)) void this.ask(summary.run, version);
    return this.views.get(version) ?? this.latest.get(summary.run) ?? null;
  }

  async ask(run: number, version: string) {
    this.asked.add(run);
    try {
      const answer = await this.wire.ask("run", { run }, { key: `run ${run}` });
      if (!answer) return; // the view is gone
      this.keep(version, readRun(answer.content, answer.buffers));
    } catch (error) {
      this.failures.set(version, error instanceof Error ? error.message : String(error));
    } finally {
      this.asked.delete(run);
    }
    if (!this.closed) this.draw();
  }

  keep(version: string, view: RunView) {
    this.views.set(version, view);
    this.views.set(runVersion(view.summary), view); // it may have gone on meanwhile
    this.latest.set(view.summary.run, view);
    for (const kept of [this.views, this.latest])
      for (const oldest of kept.keys()) if (kept.size > 2 * RUNS_KEPT) kept.delete(oldest as any);
  }

  draw() {
    const { status, state } = this.content;
    const summary = shownRun(status, state);
    const found = (status?.runs ?? []).find((one: any) => one.run === state.compare);
    const compared = found && found.run !== summary?.run ? found : null;
    this.runs.update(status, summary, compared);
    this.top.hidden = !summary && !status;
    this.actions.update(summary, status);
    this.headline.element.hidden = !summary;
    if (summary) this.headline.update(summary, compared);
    const run = this.results(summary);
    const failure = this.failures.get(summary ? runVersion(summary) : "");
    this.failure.hidden = !failure;
    setText(this.failure, failure ?? "");
    setText(this.empty, emptyWords(summary, failure));
    this.empty.hidden = Boolean(run) || Boolean(failure);
    this.nav.hidden = this.body.hidden = !run;
    this.drawTabs(run, compared && this.results(compared));
  }

  drawTabs(run: RunView | null, other: RunView | null) {
    const { state } = this.content;
    const show = state.show in this.panels ? state.show : "summary";
    this.tabs.show(show);
    this.top.dataset.show = run ? show : "summary";
    for (const [name, panel] of Object.entries(this.panels)) panel.hidden = name !== show;
    if (!run) return;
    this.summary.update(run, other);
    const content = (name: string) => ({ run, state, shown: name === show });
    if (show === "confusion") this.matrix.update({ run, state });
    this.cell.update(content("confusion"));
    this.classes.update(content("classes"));
    this.mistakes.update(content("mistakes"));
  }
}

/** What stands in the results' place. */
function emptyWords(summary: any, failure: string | undefined) {
  if (failure) return "";
  if (!summary) return "No run yet. Choose the data and press Retrain: its results appear here.";
  if (summary.per_fold.length) return "The results are on their way.";
  if (summary.phase === "failed") return "This run failed before its first fold was done.";
  if (summary.phase === "stopped") return "This run was stopped before its first fold was done.";
  return `Run ${summary.run} goes on; the results appear with its first fold.`;
}

/** Which run is shown, and which one beside it. */
function createRunChoice(set: (patch: any) => void) {
  const run = h("select", { class: "dwx-select", "data-testid": "results-run" });
  const other = h("select", { class: "dwx-select", "data-testid": "results-compare" });
  const [ours, theirs]: HTMLSelectElement[] = [run, other];
  ours.addEventListener("change", () => set({ run: ours.value ? Number(ours.value) : null, cell: null }));
  theirs.addEventListener("change", () =>
    set({ compare: theirs.value ? Number(theirs.value) : null, ...(theirs.value ? { show: "summary" } : {}) }),
  );
  const element = h(
    "div",
    { class: "dwt-runs" },
    h("label", { class: "dwx-choice" }, "run ", run),
    h("label", { class: "dwx-choice" }, "compared with ", other),
  );
  let drawn = "";
  const update = (status: any, summary: any, compared: any) => {
    const runs = status?.runs ?? [];
    element.hidden = runs.length < 2;
    const words = runs.map((one: any) => runWords(one));
    const key = `${words.join("\n")} ${summary?.run}`;
    if (key !== drawn) {
      drawn = key;
      const options = runs.map((one: any, at: number) => ({ one, option: () => h("option", { value: one.run }, words[at]) })).reverse();
      ours.replaceChildren(...options.map(({ option }) => option()));
      const others = options.filter(({ one }) => one.run !== summary?.run && one.per_fold.length);
      theirs.replaceChildren(h("option", { value: "" }, "none"), ...others.map(({ option }) => option()));
    }
    ours.value = String(summary?.run ?? "");
    theirs.value = String(compared?.run ?? "");
  };
  return { element, update };
}

/**
 * The results area. `wire.ask` asks the kernel, `set` changes the state, `say` shows a line in the footer.
 * @param options `id` is the panel's, unique in the page
 */
export function createResults(options: { wire: any; set: (patch: any) => void; say: (words: string) => void; id: string }) {
  const results = new Results(options);
  return {
    element: results.element,
    update: (content: { status: any; state: any }) => results.update(content),
    close: () => results.close(),
  };
}
