import { createSelect, h, setText } from "../ui/dom.ts";
import { counted, grouped, percent } from "../ui/format.ts";
import { cutName } from "./class_names.ts";
import { createStrip, groupedTests, photographWords } from "./photographs.ts";
import { confusedPairs, orderClasses, runVersion } from "./run_results.ts";
import type { PhotographStore } from "./photographs.ts";
import type { RunView } from "./run_results.ts";
import type { TransferState } from "./wire.ts";

const SORTED: [string, string][] = [
  ["worst", "worst first"],
  ["best", "best first"],
  ["name", "name"],
  ["size", "number of tests"],
];
const WRONG_ASKED = 16; // tests asked for a class; a photograph may have failed in several folds
const RIGHT_ASKED = 8;
const WRONG_SHOWN = 8; // photographs of them
const RIGHT_SHOWN = 4;
const TAKEN_NAMED = 3; // classes that it was taken for

/** All classes: how well each was told, what it was taken for, and photographs of both. */
export class ClassList {
  store: PhotographStore;
  choose: (cell: [number, number]) => void;
  run: RunView | null;
  shown: boolean;
  drawn: string;
  /** in the shown order */
  rows: { at: number; element: HTMLElement; strip: ReturnType<typeof createStrip>; note: HTMLElement }[];
  /** rows in sight */
  inSight: Set<Element>;
  sort: ReturnType<typeof createSelect>;
  find: HTMLInputElement;
  count: HTMLElement;
  list: HTMLElement;
  element: HTMLElement;
  observer: IntersectionObserver;
  ignore: () => void;

  constructor({
    store,
    set,
    choose,
  }: {
    store: PhotographStore;
    set: (patch: Partial<TransferState>) => void;
    /** leads to a cell's photographs */
    choose: (cell: [number, number]) => void;
  }) {
    this.store = store;
    this.choose = choose;
    this.run = null;
    this.shown = false;
    this.drawn = "";
    this.rows = [];
    this.inSight = new Set();
    this.sort = createSelect({ label: "order", testid: "class-sort", choices: SORTED, pick: (sort) => set({ sort }) });
    this.find = h("input", {
      type: "search",
      class: "dwx-search",
      placeholder: "class…",
      "aria-label": "Find a class",
      "data-testid": "class-find",
      oninput: () => this.filter(),
    });
    this.count = h("span", { class: "dwx-count dwt-dim", "data-testid": "class-count" });
    this.list = h("div", { class: "dwt-class-list", tabindex: 0, role: "list", "aria-label": "Classes", "data-testid": "class-list" });
    const tools = h("div", { class: "dwt-tools" }, this.find, this.sort.element, this.count);
    this.element = h("section", { class: "dwt-class-view", "aria-label": "Classes" }, tools, this.list);
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { root: this.list, rootMargin: "120px 0px" });
    this.ignore = store.listen(() => this.paint());
  }

  close() {
    this.observer.disconnect();
    this.ignore();
  }

  update({ run, state, shown }: { run: RunView; state: TransferState; shown: boolean }) {
    this.run = run;
    this.shown = shown;
    if (!shown) {
      this.store.want("classes", []);
      return;
    }
    const sort = SORTED.some(([name]) => name === state.sort) ? state.sort : "worst";
    this.sort.select.value = sort;
    const key = `${runVersion(run.summary)} ${sort}`;
    if (key !== this.drawn) {
      this.drawn = key;
      this.build(run, orderClasses(run, sort));
    }
    this.ask();
  }

  build(run: RunView, order: number[]) {
    this.observer.disconnect();
    this.inSight.clear();
    this.rows = order.map((at) => this.rowOf(run, at));
    this.list.replaceChildren(...this.rows.map((row) => row.element));
    this.list.scrollTop = 0;
    this.filter();
    for (const { element } of this.rows) this.observer.observe(element);
  }

  rowOf(run: RunView, at: number) {
    const { categories, accuracy, tests } = run;
    const name = categories[at];
    const none = Number.isNaN(accuracy[at]);
    const goTo = (truth: number, prediction: number) => this.choose([truth, prediction]);
    const taken = confusedPairs(run, TAKEN_NAMED, at).map(({ prediction, count }) =>
      h(
        "button",
        {
          type: "button",
          class: "dwt-link",
          title: `${name} → ${categories[prediction]}: show the photographs`,
          onclick: () => goTo(at, prediction),
        },
        cutName(categories[prediction]),
        ` ${grouped(count)}`,
      ),
    );
    const bar = h(
      "span",
      { class: "dwt-track dwt-track-accuracy" },
      none ? null : h("i", { class: "dwt-fill-right", style: `width:${100 * accuracy[at]}%` }),
    );
    const head = h(
      "div",
      { class: "dwt-class-head" },
      h("b", { title: name }, cutName(name)),
      h("span", { class: "dwt-number" }, none ? "no tests" : percent(accuracy[at])),
    );
    const mistaken = taken.length
      ? h("div", { class: "dwt-taken" }, h("span", { class: "dwt-dim" }, "taken for "), ...taken)
      : h("div", { class: "dwt-dim" }, none ? "" : "never mistaken");
    const facts = h(
      "div",
      { class: "dwt-class-facts" },
      head,
      bar,
      h("div", { class: "dwt-dim" }, none ? "every photograph was trained on" : counted(tests[at], "test")),
      mistaken,
    );
    const caption = (one: Grouped) => [one.prediction === one.truth ? "right" : cutName(categories[one.prediction])];
    const strip = createStrip({
      store: this.store,
      label: `Photographs of ${name}`,
      testid: `class-photographs-${at}`,
      caption,
      words: (one) => photographWords(one, categories),
      pick: (one) => goTo(one.truth, one.prediction),
    });
    const note = h("span", { class: "dwx-error" });
    const element = h(
      "div",
      { class: "dwt-class", role: "listitem", "data-testid": `class-${at}` },
      facts,
      h("div", { class: "dwt-class-strip" }, strip.element, note),
    );
    return { at, element, strip, note };
  }

  /** Keep the classes in whose name the words occur. */
  filter() {
    const words = this.find.value.trim().toLowerCase();
    let count = 0;
    for (const { at, element } of this.rows) {
      element.hidden = !this.run?.categories[at].toLowerCase().includes(words);
      if (!element.hidden) count += 1;
    }
    setText(this.count, words ? `${grouped(count)} of ${grouped(this.rows.length)}` : counted(this.rows.length, "class", "classes"));
  }

  seen(entries: IntersectionObserverEntry[]) {
    for (const { target, isIntersecting } of entries) isIntersecting ? this.inSight.add(target) : this.inSight.delete(target);
    this.ask();
  }

  wanted(truth: number, right: boolean) {
    const { summary } = this.run as RunView;
    return { version: runVersion(summary), run: summary.run, truth, prediction: null, right, limit: right ? RIGHT_ASKED : WRONG_ASKED };
  }

  /** Ask for the photographs of the rows in sight, and only those. */
  ask() {
    const { run } = this;
    if (!run || !this.shown) return;
    const wants = this.rows
      .filter(({ at, element }) => this.inSight.has(element) && run.tests[at] > 0)
      .flatMap(({ at }) => [this.wanted(at, false), this.wanted(at, true)]);
    this.store.want("classes", wants);
    this.paint();
  }

  paint() {
    const { run } = this;
    if (!run || !this.shown) return;
    for (const { at, element, strip, note } of this.rows) {
      if (!this.inSight.has(element)) continue;
      const answers = [false, true].map((right) => this.store.found(this.wanted(at, right)));
      setText(note, answers.find(({ failure }) => failure)?.failure ?? "");
      const most = [WRONG_SHOWN, RIGHT_SHOWN];
      strip.update(
        run.summary.run,
        answers.flatMap(({ found }, which) => groupedTests(found?.photographs ?? []).slice(0, most[which])),
      );
    }
  }
}
