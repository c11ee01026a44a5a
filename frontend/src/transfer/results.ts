import { h, segments, setText } from "./dom.js";
import { CellPane } from "./transfer_cell.js";
import { ClassList } from "./transfer_classes.js";
import { ConfusionMatrix } from "./transfer_confusion.js";
import { HeadActions } from "./transfer_head.js";
import { createHeadline, runWords } from "./transfer_headline.js";
import { Mistakes } from "./transfer_mistakes.js";
import { PhotographStore } from "./transfer_photographs.js";
import { readRun, runVersion, shownRun } from "./transfer_runs.js";
import { createRunSummary } from "./transfer_summary.js";

const RESULT_TABS = /** @type {[string, string, string][]} */ ([
  ["summary", "Summary", "Which classes are confused, at a glance"],
  ["confusion", "Confusion matrix", "What each class was taken for"],
  ["classes", "Classes", "Best and worst classes with their photographs"],
  ["mistakes", "Mistakes", "The mistakes of which the head was surest"],
]);
const RUNS_KEPT = 6; // runs' results

/** The results of a run: how good, what was confused with what, and the photographs behind every number. */
class Results {
  /** @param {{wire: any, set: (patch: any) => void, say: (words: string) => void, id: string}} options */
  constructor({ wire, set, say, id }) {
    this.wire = wire;
    /** @type {{status: any, state: any}} */
    this.content = { status: null, state: {} };
    /** @type {Map<string, import("./transfer_runs.js").RunView>} by version */
    this.views = new Map();
    /** @type {Map<number, import("./transfer_runs.js").RunView>} each run's last results: they stay until newer ones are there */
    this.latest = new Map();
    /** @type {Map<string, string>} by version: why results did not come */
    this.failures = new Map();
    /** @type {Set<number>} runs whose results are asked for: a newer version waits, or quick folds would overtake every answer */
    this.asked = new Set();
    this.closed = false;
    this.store = new PhotographStore({ wire });
    this.actions = new HeadActions({ wire, say, id });
    this.headline = createHeadline();
    this.runs = createRunChoice(set);
    this.tabs = segments({ label: "Results", testid: "results-tabs", prefix: "show", choices: RESULT_TABS, pick: (show) => set({ show }) });
    // Who chooses a cell wants to see its photographs, also where they stand beneath the matrix.
    const choose = (/** @type {[number, number]} */ cell) => {
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
    /** @type {Record<string, HTMLElement>} */
    this.panels = { summary: this.summary.element, confusion, classes: this.classes.element, mistakes: this.mistakes.element };
    this.nav = h("div", { class: "dwt-nav" }, this.tabs.element);
    const top = h("div", { class: "dwt-results-top" }, this.headline.element, this.actions.element);
    this.body = h("div", { class: "dwt-results-body" }, ...Object.values(this.panels));
    this.top = top;
    const parts = [this.runs.element, top, this.empty, this.failure, this.nav, this.body];
    this.element = h("section", { class: "dwt-results", "aria-label": "Results", "data-testid": "results" }, ...parts);
  }

  focusTab() {
    /** @type {HTMLElement | null} */ (this.tabs.element.querySelector("[aria-checked=true]"))?.focus();
  }

  close() {
    this.closed = true;
    for (const part of [this.matrix, this.cell, this.classes, this.mistakes, this.store]) part.close();
    this.element.remove();
  }

  /** @param {{status: any, state: any}} content */
  update(content) {
    const { state } = this.content;
    if (["run", "compare", "show"].some((name) => state[name] !== content.state[name])) this.failures.clear(); // who comes back tries again
    this.content = content;
    this.draw();
  }

  /** A run's newest results, asked for where they are not there. @param {any} summary */
  results(summary) {
    if (!summary?.per_fold.length) return null;
    const version = runVersion(summary);
    if (!this.views.has(version) && !this.asked.has(summary.run) && !this.failures.has(version)) void this.ask(summary.run, version);
    return this.views.get(version) ?? this.latest.get(summary.run) ?? null;
  }

  /** @param {number} run @param {string} version */
  async ask(run, version) {
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

  /** @param {string} version @param {import("./transfer_runs.js").RunView} view */
  keep(version, view) {
    this.views.set(version, view);
    this.views.set(runVersion(view.summary), view); // it may have gone on meanwhile
    this.latest.set(view.summary.run, view);
    for (const kept of [this.views, this.latest]) for (const oldest of kept.keys()) if (kept.size > 2 * RUNS_KEPT) kept.delete(/** @type {any} */ (oldest));
  }

  draw() {
    const { status, state } = this.content;
    const summary = shownRun(status, state);
    const found = (status?.runs ?? []).find((/** @type {any} */ one) => one.run === state.compare);
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

  /** @param {import("./transfer_runs.js").RunView | null} run @param {import("./transfer_runs.js").RunView | null} other */
  drawTabs(run, other) {
    const { state } = this.content;
    const show = state.show in this.panels ? state.show : "summary";
    this.tabs.show(show);
    this.top.dataset.show = run ? show : "summary";
    for (const [name, panel] of Object.entries(this.panels)) panel.hidden = name !== show;
    if (!run) return;
    this.summary.update(run, other);
    const content = (/** @type {string} */ name) => ({ run, state, shown: name === show });
    if (show === "confusion") this.matrix.update({ run, state });
    this.cell.update(content("confusion"));
    this.classes.update(content("classes"));
    this.mistakes.update(content("mistakes"));
  }
}

/** What stands in the results' place. @param {any} summary @param {string | undefined} failure */
function emptyWords(summary, failure) {
  if (failure) return "";
  if (!summary) return "No run yet. Choose the data and press Retrain: its results appear here.";
  if (summary.per_fold.length) return "The results are on their way.";
  if (summary.phase === "failed") return "This run failed before its first fold was done.";
  if (summary.phase === "stopped") return "This run was stopped before its first fold was done.";
  return `Run ${summary.run} goes on; the results appear with its first fold.`;
}

/** Which run is shown, and which one beside it. @param {(patch: any) => void} set */
function createRunChoice(set) {
  const run = h("select", { class: "dwx-select", "data-testid": "results-run" });
  const other = h("select", { class: "dwx-select", "data-testid": "results-compare" });
  const [ours, theirs] = /** @type {HTMLSelectElement[]} */ ([run, other]);
  ours.addEventListener("change", () => set({ run: ours.value ? Number(ours.value) : null, cell: null }));
  theirs.addEventListener("change", () => set({ compare: theirs.value ? Number(theirs.value) : null, ...(theirs.value ? { show: "summary" } : {}) }));
  const element = h("div", { class: "dwt-runs" }, h("label", { class: "dwx-choice" }, "run ", run), h("label", { class: "dwx-choice" }, "compared with ", other));
  let drawn = "";
  /** @param {any} status @param {any} summary @param {any} compared */
  const update = (status, summary, compared) => {
    const runs = status?.runs ?? [];
    element.hidden = runs.length < 2;
    const words = runs.map((/** @type {any} */ one) => runWords(one));
    const key = `${words.join("\n")} ${summary?.run}`;
    if (key !== drawn) {
      drawn = key;
      const options = runs.map((/** @type {any} */ one, /** @type {number} */ at) => ({ one, option: () => h("option", { value: one.run }, words[at]) })).reverse();
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
 * @param {{wire: any, set: (patch: any) => void, say: (words: string) => void, id: string}} options `id` is the panel's, unique in the page
 */
export function createResults(options) {
  const results = new Results(options);
  return {
    element: results.element,
    /** @param {{status: any, state: any}} content */
    update: (content) => results.update(content),
    close: () => results.close(),
  };
}
