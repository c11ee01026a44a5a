import { accuracyOf, categoryOf, confusedPairs, countTests, orderClasses, type RunResults, runVersion } from "../transfer/run_results.ts";
import type { Cell, ClassSort, TransferState } from "../transfer/wire.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger, formatPercent } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import type { PhotographStore, TestsRequest } from "./photograph_store.ts";
import { createPhotographStrip, describeTest, groupTests } from "./photograph_strip.ts";

const SORTS: [ClassSort, string][] = [
  ["worst", "worst first"],
  ["best", "best first"],
  ["name", "name"],
  ["size", "number of tests"],
];
// Maximum numbers of requested tests, and of shown photographs; a photograph may be tested in several folds.
const MAX_TESTS = { wrong: 16, right: 8 };
const MAX_PHOTOGRAPHS = { wrong: 8, right: 4 };
const MAX_PREDICTIONS = 3;
const KINDS = ["wrong", "right"] as const;

interface ClassListOptions {
  store: PhotographStore;
  set: (patch: Partial<TransferState>) => void;
  /** Select a cell to show its photographs. */
  choose: (cell: Cell) => void;
}

interface Row {
  label: number;
  element: HTMLElement;
  strip: ReturnType<typeof createPhotographStrip>;
  error: HTMLElement;
}

/** The list of classes: accuracy, most frequent wrong predictions, and photographs. */
export class ClassList {
  readonly element: HTMLElement;
  private readonly sort: ReturnType<typeof createSelect<ClassSort>>;
  private readonly search: HTMLInputElement;
  private readonly count = h("span", { class: "dwx-count dwt-dim", role: "status", "data-testid": "class-count" });
  private readonly list = h("div", {
    class: "dwt-class-list",
    tabindex: 0,
    role: "list",
    "aria-label": "Classes",
    "data-testid": "class-list",
  });
  private readonly observer: IntersectionObserver;
  private readonly removeListener: () => void;
  private readonly visible = new Set<Element>();
  private rows: Row[] = []; // in sort order
  private run: RunResults | null = null;
  private shown = false;
  private drawnKey = "";

  constructor(private readonly options: ClassListOptions) {
    const { store, set } = options;
    this.sort = createSelect({ label: "Sort", testid: "class-sort", choices: SORTS, pick: (sort) => set({ sort }) });
    const properties = {
      type: "search",
      class: "dwx-search",
      placeholder: "class…",
      "aria-label": "Find a class",
      "data-testid": "class-find",
    };
    this.search = h("input", { ...properties, oninput: () => this.filter() });
    const tools = h("div", { class: "dwt-tools" }, this.search, this.sort.element, this.count);
    this.element = h("section", { class: "dwt-class-view", "aria-label": "Classes" }, tools, this.list);
    this.observer = new IntersectionObserver((entries) => this.scrolled(entries), { root: this.list, rootMargin: "120px 0px" });
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.observer.disconnect();
    this.removeListener();
    this.options.store.setVisible(this, []);
  }

  update(run: RunResults, state: TransferState, shown: boolean): void {
    this.run = run;
    this.shown = shown;
    if (!shown) {
      this.options.store.setVisible(this, []);
      return;
    }
    this.sort.select.value = state.sort;
    const key = `${runVersion(run.summary)} ${state.sort}`;
    if (key !== this.drawnKey) {
      this.drawnKey = key;
      this.rebuild(run, orderClasses(run, state.sort));
    }
    this.request();
  }

  private rebuild(run: RunResults, order: number[]): void {
    this.observer.disconnect();
    this.visible.clear();
    this.rows = order.map((label) => this.createRow(run, label));
    this.list.replaceChildren(...this.rows.map((row) => row.element));
    this.list.scrollTop = 0;
    this.filter();
    for (const { element } of this.rows) this.observer.observe(element);
  }

  private createRow(run: RunResults, label: number): Row {
    const { store, choose } = this.options;
    const strip = createPhotographStrip({
      store,
      label: `Photographs of ${categoryOf(run, label)}`,
      testid: `class-photographs-${label}`,
      caption: (test) => [test.prediction === test.truth ? "correct" : createClassName(categoryOf(run, test.prediction))],
      describe: (test) => describeTest(test, run.categories),
      pick: (test) => choose([test.truth, test.prediction]),
    });
    const error = h("span", { class: "dwx-error" });
    const photographs = h("div", { class: "dwt-class-strip" }, strip.element, error);
    const properties = { class: "dwt-class", role: "listitem", "data-testid": `class-${label}` };
    return { label, element: h("div", properties, createClassFacts(run, label, choose), photographs), strip, error };
  }

  /** Show the classes whose names contain the search text. */
  private filter(): void {
    const { run } = this;
    if (!run) return;
    const query = this.search.value.trim().toLowerCase();
    for (const { label, element } of this.rows) element.hidden = !categoryOf(run, label).toLowerCase().includes(query);
    const shown = this.rows.filter(({ element }) => !element.hidden).length;
    const total = this.rows.length;
    setText(this.count, query ? `${formatInteger(shown)} of ${formatInteger(total)}` : formatCount(total, "class", "classes"));
  }

  private scrolled(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.visible.add(target);
      else this.visible.delete(target);
    }
    this.request();
  }

  private testsRequest(run: RunResults, truth: number, kind: "wrong" | "right"): TestsRequest {
    const { summary } = run;
    return { version: runVersion(summary), run: summary.run, truth, prediction: null, right: kind === "right", limit: MAX_TESTS[kind] };
  }

  /** Request the photographs of the visible rows. */
  private request(): void {
    const { run } = this;
    if (!run || !this.shown) return;
    const rows = this.rows.filter(({ label, element }) => this.visible.has(element) && countTests(run, label) > 0);
    this.options.store.setVisible(
      this,
      rows.flatMap(({ label }) => KINDS.map((kind) => this.testsRequest(run, label, kind))),
    );
    this.draw();
  }

  private draw(): void {
    const { run } = this;
    if (!run || !this.shown) return;
    for (const { label, element, strip, error } of this.rows) {
      if (!this.visible.has(element)) continue;
      const lists = KINDS.map((kind) => ({ kind, ...this.options.store.list(this.testsRequest(run, label, kind)) }));
      setText(error, lists.find((list) => list.error)?.error ?? "");
      const tests = lists.flatMap(({ kind, value }) => groupTests(value?.photographs ?? []).slice(0, MAX_PHOTOGRAPHS[kind]));
      strip.update(run.summary.run, tests);
    }
  }
}

/** Create the description of a class: its accuracy and most frequent wrong predictions. */
function createClassFacts(run: RunResults, label: number, choose: (cell: Cell) => void): HTMLElement {
  const name = categoryOf(run, label);
  const accuracy = accuracyOf(run, label);
  const untested = Number.isNaN(accuracy);
  const predictions = confusedPairs(run, MAX_PREDICTIONS, label).map(({ prediction, count }) => {
    const other = categoryOf(run, prediction);
    const properties = { type: "button", class: "dwt-link", title: `${name} → ${other}: show the photographs` };
    return h("button", { ...properties, onclick: () => choose([label, prediction]) }, createClassName(other), ` ${formatInteger(count)}`);
  });
  const fill = untested ? null : h("i", { class: "dwt-fill-right", style: `width:${100 * accuracy}%` });
  const number = h("span", { class: "dwt-number" }, untested ? "no tests" : formatPercent(accuracy));
  return h(
    "div",
    { class: "dwt-class-facts" },
    h("div", { class: "dwt-class-head" }, h("b", { title: name }, createClassName(name)), number),
    h("span", { class: "dwt-track dwt-track-accuracy" }, fill),
    h("div", { class: "dwt-dim" }, untested ? "all photographs were used for training" : formatCount(countTests(run, label), "test")),
    predictions.length
      ? h("div", { class: "dwt-predictions" }, h("span", { class: "dwt-dim" }, "predicted as "), ...predictions)
      : h("div", { class: "dwt-dim" }, untested ? "" : "never misclassified"),
  );
}
