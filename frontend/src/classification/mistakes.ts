import { h, setText } from "../ui/dom.ts";
import { formatInteger } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import { type Cell, type ClassResults, categoryOf } from "./class_results.ts";
import type { PhotographStore, TestsRequest } from "./photograph_store.ts";
import { createTestStrip, describeTest, formatConfidence, type GroupedTest, groupTests, predictionOf } from "./test_photographs.ts";

const BATCH = 48; // number of photographs

/** The misclassified photographs, by descending confidence. */
export class Mistakes {
  readonly element: HTMLElement;
  private readonly store: PhotographStore;
  private readonly strip: ReturnType<typeof createTestStrip>;
  private readonly summaryText = h("p", { class: "dwc-dim", "data-testid": "mistakes-words" });
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly more: HTMLButtonElement;
  private readonly removeListener: () => void;
  private run: ClassResults | null = null;
  private limit = BATCH;

  /**
   * @param choose selects a cell to show its photographs
   * @param why explains the prediction of a photograph; without it there is no button
   */
  constructor({ store, choose, why }: { store: PhotographStore; choose: (cell: Cell) => void; why?: (test: GroupedTest) => void }) {
    this.store = store;
    const name = (label: number) => (this.run ? categoryOf(this.run, label) : "");
    this.strip = createTestStrip({
      store,
      label: "Most confident mistakes",
      testid: "mistakes",
      caption: (test) => [
        createClassName(name(test.truth)),
        createClassName(`→ ${predictionOf(test, this.run?.categories ?? [])}`),
        formatConfidence(test),
      ],
      describe: (test) => describeTest(test, this.run?.categories ?? []),
      pick: (test) => choose([test.truth, test.prediction]),
      why,
    });
    const properties = { type: "button", class: "dwc-link", "data-testid": "mistakes-more", hidden: true };
    this.more = h("button", { ...properties, onclick: () => this.showMore() });
    const parts = [this.summaryText, this.error, this.strip.element, this.more];
    this.element = h("section", { class: "dwc-mistakes", "aria-label": "Mistakes" }, ...parts);
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.store.setVisible(this, []);
  }

  update(run: ClassResults, shown: boolean): void {
    if (run.run !== this.run?.run) this.limit = BATCH;
    this.run = shown ? run : null;
    if (!shown) this.store.setVisible(this, []);
    this.draw();
  }

  private showMore(): void {
    this.limit += BATCH;
    this.draw();
  }

  private draw(): void {
    const { run, store } = this;
    if (!run) return;
    const request = (limit: number): TestsRequest => {
      return { version: run.version, run: run.run, truth: null, prediction: null, right: false, limit };
    };
    store.setVisible(this, [request(this.limit)]);
    const { value: list, error } = store.list(request(this.limit));
    const photographs = (list ?? store.list(request(this.limit - BATCH)).value)?.photographs ?? [];
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    setText(this.summaryText, list ? describeMistakes(run, list.total) : "");
    this.strip.update(run.run, groupTests(photographs));
    const remaining = (list?.total ?? 0) - photographs.length;
    this.more.hidden = remaining <= 0 || photographs.length < this.limit; // the kernel's limit is reached
    setText(this.more, `Show ${formatInteger(Math.min(remaining, BATCH))} of ${formatInteger(remaining)} more`);
  }
}

function describeMistakes(run: ClassResults, total: number): string {
  const tests = formatInteger(run.tests.reduce((sum, count) => sum + count, 0));
  const items = `${run.words.item}s`;
  if (!total) return `None of ${tests} ${items} was misclassified.`;
  const order = run.hasConfidences ? "the most confident first" : "this head gives no probabilities";
  return `${formatInteger(total)} of ${tests} ${items} were misclassified; ${order}. Select a photograph to see similar mistakes, or ask ‘Why?’ to see the units behind its prediction.`;
}
