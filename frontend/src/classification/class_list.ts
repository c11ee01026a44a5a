import { createSelect, h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger, formatPercent } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import {
  accuracyOf,
  type Cell,
  type ClassResults,
  type ClassSort,
  type ClassViewState,
  categoryOf,
  confusedPairs,
  countTests,
  OTHER_CLASS,
  orderClasses,
} from "./class_results.ts";
import type { PhotographStore, TestsRequest } from "./photograph_store.ts";
import { createTestStrip, describeTest, type GroupedTest, groupTests, predictionOf } from "./test_photographs.ts";

const SORTS: [ClassSort, string][] = [
  ["worst", "worst first"],
  ["best", "best first"],
  ["name", "name"],
  ["size", "largest first"],
];
// Maximum numbers of requested tests, and of shown photographs; a photograph may be tested in several folds.
const MAX_TESTS = { wrong: 16, right: 8 };
const MAX_PHOTOGRAPHS = { wrong: 8, right: 4 };
const MAX_PREDICTIONS = 3;
const KINDS = ["wrong", "right"] as const;

interface ClassListOptions {
  store: PhotographStore;
  set: (patch: Partial<ClassViewState>) => void;
  /** Select a cell to show its photographs. */
  choose: (cell: Cell) => void;
  /** Explains the prediction of a photograph; without it there is no button. */
  why?: ((test: GroupedTest) => void) | undefined;
}

interface Row {
  label: number;
  element: HTMLElement;
  strip: ReturnType<typeof createTestStrip>;
  error: HTMLElement;
}

/** The list of classes: accuracy, most frequent wrong predictions, and photographs. */
export class ClassList {
  readonly element: HTMLElement;
  private readonly sort: ReturnType<typeof createSelect<ClassSort>>;
  private readonly search: HTMLInputElement;
  private readonly count = h("span", { class: "dwx-count dwc-dim", role: "status", "data-testid": "class-count" });
  private readonly list = h("div", {
    class: "dwc-class-list",
    tabindex: 0,
    role: "list",
    "aria-label": "Classes",
    "data-testid": "class-list",
  });
  private readonly observer: IntersectionObserver;
  private readonly removeListener: () => void;
  private readonly visible = new Set<Element>();
  private rows: Row[] = []; // in sort order
  private run: ClassResults | null = null;
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
    const tools = h("div", { class: "dwc-tools" }, this.search, this.sort.element, this.count);
    this.element = h("section", { class: "dwc-class-view", "aria-label": "Classes" }, tools, this.list);
    this.observer = new IntersectionObserver((entries) => this.scrolled(entries), { root: this.list, rootMargin: "120px 0px" });
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.observer.disconnect();
    this.removeListener();
    this.options.store.setVisible(this, []);
  }

  update(run: ClassResults, state: ClassViewState, shown: boolean): void {
    this.run = run;
    this.shown = shown;
    if (!shown) {
      this.options.store.setVisible(this, []);
      return;
    }
    this.sort.select.value = state.sort;
    const key = `${run.version} ${state.sort}`;
    if (key !== this.drawnKey) {
      this.drawnKey = key;
      this.rebuild(
        run,
        orderClasses(run, state.sort).filter((label) => categoryOf(run, label) !== OTHER_CLASS),
      );
    }
    this.request();
  }

  private rebuild(run: ClassResults, order: number[]): void {
    this.observer.disconnect();
    this.visible.clear();
    this.rows = order.map((label) => this.createRow(run, label));
    this.list.replaceChildren(...this.rows.map((row) => row.element));
    this.list.scrollTop = 0;
    this.filter();
    for (const { element } of this.rows) this.observer.observe(element);
  }

  private createRow(run: ClassResults, label: number): Row {
    const { store, choose, why } = this.options;
    const strip = createTestStrip({
      store,
      label: `Photographs of ${categoryOf(run, label)}`,
      testid: `class-photographs-${label}`,
      caption: (test) => [test.prediction === test.truth ? "correct" : createClassName(predictionOf(test, run.categories))],
      describe: (test) => describeTest(test, run.categories),
      pick: (test) => choose([test.truth, test.prediction]),
      why,
    });
    const error = h("span", { class: "dwx-error" });
    const photographs = h("div", { class: "dwc-class-strip" }, strip.element, error);
    const properties = { class: "dwc-class", role: "listitem", "data-testid": `class-${label}` };
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

  private testsRequest(run: ClassResults, truth: number, kind: "wrong" | "right"): TestsRequest {
    return { version: run.version, run: run.run, truth, prediction: null, right: kind === "right", limit: MAX_TESTS[kind] };
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
      strip.update(run.run, tests);
    }
  }
}

/** Create the description of a class: its accuracy and most frequent wrong predictions. */
function createClassFacts(run: ClassResults, label: number, choose: (cell: Cell) => void): HTMLElement {
  const name = categoryOf(run, label);
  const { item } = run.words;
  const accuracy = accuracyOf(run, label);
  const untested = Number.isNaN(accuracy);
  const predictions = confusedPairs(run, MAX_PREDICTIONS, label).map(({ prediction, count }) => {
    const other = categoryOf(run, prediction);
    const properties = { type: "button", class: "dwc-link", title: `${name} → ${other}: show the photographs` };
    return h("button", { ...properties, onclick: () => choose([label, prediction]) }, createClassName(other), ` ${formatInteger(count)}`);
  });
  const fill = untested ? null : h("i", { class: "dwc-fill-right", style: `width:${100 * accuracy}%` });
  const number = h("span", { class: "dwc-number" }, untested ? `no ${item}s` : formatPercent(accuracy));
  return h(
    "div",
    { class: "dwc-class-facts" },
    h("div", { class: "dwc-class-head" }, h("b", { title: name }, createClassName(name)), number),
    h("span", { class: "dwc-track dwc-track-accuracy" }, fill),
    h("div", { class: "dwc-dim" }, untested ? run.words.untested : formatCount(countTests(run, label), item)),
    predictions.length
      ? h("div", { class: "dwc-predictions" }, h("span", { class: "dwc-dim" }, "predicted as "), ...predictions)
      : h("div", { class: "dwc-dim" }, untested ? "" : "never misclassified"),
  );
}
