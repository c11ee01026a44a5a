import { h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger, formatPercent } from "../ui/format.ts";
import { type Cell, type ClassResults, type ClassViewState, categoryOf, confusedPairs, countTests, pairAt } from "./class_results.ts";
import { createPairs } from "./pairs.ts";
import type { PhotographStore } from "./photograph_store.ts";
import { createTestStrip, describeTest, formatConfidence, type GroupedTest, groupTests } from "./test_photographs.ts";

const PAIRS = 12;
const FIRST_PHOTOGRAPHS = 24;
const MORE_PHOTOGRAPHS = 2 * FIRST_PHOTOGRAPHS;

interface CellPaneOptions {
  store: PhotographStore;
  /** Explains the prediction of a photograph; without it there is no button. */
  why?: ((test: GroupedTest) => void) | undefined;
  choose: (cell: Cell) => void;
  /** Clear the selected cell. */
  clear: () => void;
}

/** The pane beside the confusion matrix: photographs of the selected cell, and the most confused pairs of classes. */
export class CellPane {
  readonly element: HTMLElement;
  private readonly title = h("h3", { "data-testid": "cell-title", "aria-live": "polite" });
  private readonly numbers = h("p", { class: "dwc-dim", "data-testid": "cell-numbers" });
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly strip: ReturnType<typeof createTestStrip>;
  private readonly more: HTMLButtonElement;
  private readonly reverse: HTMLButtonElement;
  private readonly selectedPart: HTMLElement;
  private readonly hint = h("p", { class: "dwc-dim" }, "Select a cell of the matrix, or a pair of classes below, to see its photographs.");
  private readonly pairsTitle = h("h4", { "data-testid": "cell-pairs-title" });
  private readonly pairs: ReturnType<typeof createPairs>;
  private readonly store: PhotographStore;
  private readonly removeListener: () => void;
  private content: { run: ClassResults; cell: Cell | null } | null = null;
  private limit = FIRST_PHOTOGRAPHS;
  private drawnKey = "";
  private scrollPending = false;

  constructor({ store, choose, clear, why }: CellPaneOptions) {
    this.store = store;
    this.strip = createTestStrip({
      store,
      label: "Photographs of the selected cell",
      testid: "cell-photographs",
      caption: (test) => [formatConfidence(test)],
      describe: (test) => describeTest(test, this.content?.run.categories ?? []),
      why,
    });
    this.pairs = createPairs({ testid: "cell-pairs", pick: choose });
    const linkProperties = { type: "button", class: "dwc-link" };
    const chooseReverse = () => this.content?.cell && choose([this.content.cell[1], this.content.cell[0]]);
    this.reverse = h("button", { ...linkProperties, "data-testid": "cell-other", onclick: chooseReverse });
    this.more = h("button", { ...linkProperties, "data-testid": "cell-more", onclick: () => this.showMore() });
    const all = h("button", { ...linkProperties, "data-testid": "cell-clear", onclick: clear }, "all classes");
    const head = h("div", { class: "dwc-pane-head" }, this.title, all);
    this.selectedPart = h(
      "div",
      { class: "dwc-selected-cell" },
      head,
      this.numbers,
      this.error,
      this.strip.element,
      this.more,
      this.reverse,
    );
    const parts = [this.selectedPart, this.hint, this.pairsTitle, this.pairs.element];
    this.element = h("section", { class: "dwc-pane", "aria-label": "Selected cell" }, ...parts);
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.store.setVisible(this, []);
  }

  /** Scroll to the photographs when they are loaded. */
  scrollToPhotographs(): void {
    this.scrollPending = true;
  }

  update(run: ClassResults, state: ClassViewState, visible: boolean): void {
    const cell = state.cell?.every((label) => label < run.categories.length) ? state.cell : null;
    if (String(cell) !== String(this.content?.cell ?? null)) this.limit = FIRST_PHOTOGRAPHS;
    this.content = visible ? { run, cell } : null;
    if (!visible) this.store.setVisible(this, []);
    this.draw();
  }

  private showMore(): void {
    this.limit += MORE_PHOTOGRAPHS;
    this.draw();
  }

  private draw(): void {
    if (!this.content) return;
    const { run, cell } = this.content;
    this.selectedPart.hidden = !cell;
    this.hint.hidden = Boolean(cell);
    if (cell) this.drawCell(run, cell);
    else this.store.setVisible(this, []);
    const key = `${run.version} ${cell?.[0]}`;
    if (key === this.drawnKey) return;
    this.drawnKey = key;
    const pairs = confusedPairs(run, PAIRS, cell?.[0] ?? null);
    setText(this.pairsTitle, describePairs(run, cell, pairs.length > 0));
    this.pairs.update(run, pairs, !cell);
  }

  private drawCell(run: ClassResults, [truth, prediction]: Cell): void {
    const { count, share } = pairAt(run, truth, prediction);
    const [from, to] = [categoryOf(run, truth), categoryOf(run, prediction)];
    const tests = countTests(run, truth);
    const correct = truth === prediction ? " correct" : "";
    const numbers = `${formatInteger(count)} of ${formatCount(tests, run.words.item)}${correct} (${formatPercent(share)})${run.words.folds}`;
    setText(this.title, `${from} → ${to}`);
    setText(this.numbers, tests ? numbers : `${from} had no ${run.words.item}s.`);
    const reversePair = pairAt(run, prediction, truth);
    this.reverse.hidden = truth === prediction;
    setText(
      this.reverse,
      `The reverse, ${to} → ${from}: ${formatInteger(reversePair.count)} of ${formatInteger(countTests(run, prediction))}`,
    );
    this.drawPhotographs(run, [truth, prediction], count);
  }

  private drawPhotographs(run: ClassResults, [truth, prediction]: Cell, count: number): void {
    const request = { version: run.version, run: run.run, truth, prediction, right: null, limit: this.limit };
    this.store.setVisible(this, count ? [request] : []);
    const { value: list, error } = this.store.list(request);
    const shorter = this.store.list({ ...request, limit: this.limit - MORE_PHOTOGRAPHS }).value; // shown until the longer list is loaded
    const photographs = count ? ((list ?? shorter)?.photographs ?? []) : [];
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    this.strip.update(run.run, groupTests(photographs));
    this.strip.element.dataset.waiting = String(count > 0 && !list && !error);
    if (this.scrollPending && (list || error || !count)) {
      this.scrollPending = false;
      (this.strip.element.firstElementChild ?? this.numbers).scrollIntoView({ block: "nearest" });
    }
    const remaining = (list?.total ?? 0) - photographs.length;
    this.more.hidden = remaining <= 0 || photographs.length < this.limit; // the kernel's limit is reached
    setText(
      this.more,
      `Show ${remaining > MORE_PHOTOGRAPHS ? `${MORE_PHOTOGRAPHS} of ${formatInteger(remaining)} more` : `${formatInteger(remaining)} more`}`,
    );
  }
}

function describePairs(run: ClassResults, cell: Cell | null, hasPairs: boolean): string {
  if (!cell) return hasPairs ? "Most confused" : `No ${run.words.item} was misclassified.`;
  const name = categoryOf(run, cell[0]);
  if (hasPairs) return `${name} was predicted as`;
  return countTests(run, cell[0]) > 0 ? `${name} was never misclassified.` : "";
}
