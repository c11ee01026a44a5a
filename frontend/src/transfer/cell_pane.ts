import { h, setText } from "../ui/dom.ts";
import { counted, grouped, percent } from "../ui/format.ts";
import { cutName } from "./class_names.ts";
import { createStrip, foldWords, groupedTests, photographWords } from "./photographs.ts";
import { confusedPairs, pairAt, runVersion } from "./run_results.ts";
import type { Pair, RunView } from "./run_results.ts";
import type { PhotographStore } from "./photographs.ts";
import type { TransferState } from "./wire.ts";

const CELL_PAIRS = 12;
const CELL_SHOWN = 24; // photographs at once

/** Pairs of classes of which one was taken for the other, with bars. */
export function createPairs({ testid, pick }: { testid: string; pick: (cell: [number, number]) => void }) {
  const element = h("ol", { class: "dwt-pairs", "data-testid": testid });
  /**
   * @param pairs the most frequent first
   * @param named whether the truth is named: it need not be where it is the same in all
   */
  const update = (run: RunView, pairs: Pair[], named: boolean = true) => {
    const longest = pairs[0]?.share;
    const rows = pairs.map(({ truth, prediction, count, share }) => {
      const names = `${run.categories[truth]} → ${run.categories[prediction]}`;
      const numbers = `${grouped(count)} of ${grouped(run.tests[truth])}`;
      const bar = h("span", { class: "dwt-track" }, h("i", { class: "dwt-fill-wrong", style: `width:${(100 * share) / longest}%` }));
      const both = [named ? cutName(run.categories[truth]) : null, h("i", {}, "→"), cutName(run.categories[prediction])];
      const words = `${names}: ${numbers} tests. Show the photographs`;
      const properties = {
        type: "button",
        class: "dwt-pair",
        "data-testid": `${testid}-${truth}-${prediction}`,
        title: words,
        "aria-label": words,
      };
      const parts = [
        h("span", { class: "dwt-pair-names" }, ...both),
        bar,
        h("span", { class: "dwt-number" }, percent(share)),
        h("span", { class: "dwt-number dwt-dim" }, numbers),
      ];
      return h("li", {}, h("button", { ...properties, onclick: () => pick([truth, prediction]) }, ...parts));
    });
    element.replaceChildren(...rows);
  };
  return { element, update };
}

/** Beside the confusion matrix: what the chosen cell holds, and which cells are worth choosing. */
export class CellPane {
  store: PhotographStore;
  wished: boolean;
  limit: number;
  drawn: string;
  content: { run: RunView; cell: [number, number] | null } | null;
  strip: ReturnType<typeof createStrip>;
  pairs: ReturnType<typeof createPairs>;
  title: HTMLElement;
  numbers: HTMLElement;
  other: HTMLElement;
  clear: HTMLElement;
  more: HTMLElement;
  failure: HTMLElement;
  pairsTitle: HTMLElement;
  chosen: HTMLElement;
  hint: HTMLElement;
  element: HTMLElement;
  ignore: () => void;

  constructor({
    store,
    choose,
    clear,
  }: {
    store: PhotographStore;
    choose: (cell: [number, number]) => void;
    /** chooses none */
    clear: () => void;
  }) {
    this.store = store;
    this.wished = false; // to be brought into sight as soon as its photographs are there
    this.limit = CELL_SHOWN;
    this.drawn = "";
    this.content = null;
    const caption = (one: Grouped) => [
      one.confidence === null ? foldWords(one.folds) : `${percent(one.confidence)} · ${foldWords(one.folds)}`,
    ];
    const words = (one: Grouped) => photographWords(one, this.content?.run.categories ?? []);
    this.strip = createStrip({ store, label: "Photographs of the chosen cell", testid: "cell-photographs", caption, words });
    this.pairs = createPairs({ testid: "cell-pairs", pick: choose });
    this.title = h("h3", { "data-testid": "cell-title", "aria-live": "polite" });
    this.numbers = h("p", { class: "dwt-dim", "data-testid": "cell-numbers" });
    this.other = h("button", {
      type: "button",
      class: "dwt-link",
      "data-testid": "cell-other",
      onclick: () => this.content?.cell && choose([this.content.cell[1], this.content.cell[0]]),
    });
    this.clear = h("button", { type: "button", class: "dwt-link", "data-testid": "cell-clear", onclick: clear }, "all classes");
    this.more = h("button", { type: "button", class: "dwt-link", "data-testid": "cell-more", onclick: () => this.showMore() });
    this.failure = h("p", { class: "dwx-error", hidden: true });
    this.pairsTitle = h("h4", { "data-testid": "cell-pairs-title" });
    const head = h("div", { class: "dwt-pane-head" }, this.title, this.clear);
    this.chosen = h("div", { class: "dwt-chosen" }, head, this.numbers, this.failure, this.strip.element, this.more, this.other);
    this.hint = h("p", { class: "dwt-dim" }, "Click a cell of the matrix, or a line below, to see its photographs.");
    this.element = h(
      "section",
      { class: "dwt-pane", "aria-label": "Chosen cell" },
      this.chosen,
      this.hint,
      this.pairsTitle,
      this.pairs.element,
    );
    this.ignore = store.listen(() => this.draw());
  }

  close() {
    this.ignore();
  }

  /** Bring the photographs into sight when they are there, moving as little as needed. */
  reveal() {
    this.wished = true;
  }

  showMore() {
    this.limit += 2 * CELL_SHOWN;
    this.draw();
  }

  update({ run, state, shown }: { run: RunView; state: TransferState; shown: boolean }) {
    const inside = state.cell?.every((one: number) => one < run.categories.length);
    const cell = inside ? state.cell : null;
    if (String(cell) !== String(this.content?.cell)) this.limit = CELL_SHOWN;
    this.content = shown ? { run, cell } : null;
    if (!shown) this.store.want("cell", []);
    this.draw();
  }

  draw() {
    if (!this.content) return;
    const { run, cell } = this.content;
    this.chosen.hidden = !cell;
    this.hint.hidden = Boolean(cell);
    if (cell) this.drawCell(run, cell);
    else this.store.want("cell", []);
    const key = `${runVersion(run.summary)} ${cell?.[0]}`;
    if (key === this.drawn) return;
    this.drawn = key;
    const pairs = confusedPairs(run, CELL_PAIRS, cell ? cell[0] : null);
    const tested = !cell || run.tests[cell[0]] > 0;
    const words = cell ? `What ${run.categories[cell[0]]} was taken for` : "Most confused";
    const none = cell ? (tested ? `${run.categories[cell[0]]} was never taken for another class.` : "") : "No class was taken for another.";
    setText(this.pairsTitle, pairs.length ? words : none);
    this.pairs.update(run, pairs, !cell);
  }

  drawCell(run: RunView, [truth, prediction]: [number, number]) {
    const { categories, tests, summary } = run;
    const { count, share } = pairAt(run, truth, prediction);
    const wanted = { version: runVersion(summary), run: summary.run, truth, prediction, right: null, limit: this.limit };
    this.store.want("cell", count ? [wanted] : []);
    setText(this.title, `${categories[truth]} → ${categories[prediction]}`);
    const folds = counted(summary.per_fold.length, "fold");
    const right = truth === prediction ? " right" : "";
    setText(
      this.numbers,
      tests[truth]
        ? `${grouped(count)} of ${counted(tests[truth], "test")}${right} (${percent(share)}) in ${folds}`
        : `${categories[truth]} had no tests.`,
    );
    const back = pairAt(run, prediction, truth);
    this.other.hidden = truth === prediction;
    setText(
      this.other,
      `The other way round, ${categories[prediction]} → ${categories[truth]}: ${grouped(back.count)} of ${grouped(tests[prediction])}`,
    );
    const { found, failure } = this.store.found(wanted);
    this.failure.hidden = !failure;
    setText(this.failure, failure ?? "");
    const before = this.store.found({ ...wanted, limit: this.limit - 2 * CELL_SHOWN }).found; // stays until the longer list is there
    const photographs = count ? ((found ?? before)?.photographs ?? []) : [];
    this.strip.update(summary.run, groupedTests(photographs));
    this.strip.element.dataset.waiting = String(count > 0 && !found && !failure);
    if (this.wished && (found || failure || !count)) {
      this.wished = false;
      (this.strip.element.firstElementChild ?? this.numbers).scrollIntoView({ block: "nearest" });
    }
    const left = (found?.total ?? 0) - photographs.length;
    this.more.hidden = left <= 0 || photographs.length < this.limit; // the kernel names so many at most
    setText(this.more, `Show ${left > 2 * CELL_SHOWN ? `${2 * CELL_SHOWN} of ${grouped(left)} more` : `${grouped(left)} more`}`);
  }
}
