import { categoryOf, type RunResults, runVersion } from "../transfer/run_results.ts";
import type { Cell } from "../transfer/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger } from "../ui/format.ts";
import { createClassName } from "./class_names.ts";
import type { PhotographStore, TestsRequest } from "./photograph_store.ts";
import { createPhotographStrip, describeTest, formatConfidence, groupTests } from "./photograph_strip.ts";

const BATCH = 48; // number of photographs

/** The misclassified photographs, by descending confidence. */
export class Mistakes {
  readonly element: HTMLElement;
  private readonly store: PhotographStore;
  private readonly strip: ReturnType<typeof createPhotographStrip>;
  private readonly summaryText = h("p", { class: "dwt-dim", "data-testid": "mistakes-words" });
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly more: HTMLButtonElement;
  private readonly removeListener: () => void;
  private run: RunResults | null = null;
  private limit = BATCH;

  /** @param choose selects a cell to show its photographs */
  constructor({ store, choose }: { store: PhotographStore; choose: (cell: Cell) => void }) {
    this.store = store;
    const name = (label: number) => (this.run ? categoryOf(this.run, label) : "");
    this.strip = createPhotographStrip({
      store,
      label: "Most confident mistakes",
      testid: "mistakes",
      caption: (test) => [createClassName(name(test.truth)), createClassName(`→ ${name(test.prediction)}`), formatConfidence(test)],
      describe: (test) => describeTest(test, this.run?.categories ?? []),
      pick: (test) => choose([test.truth, test.prediction]),
    });
    const properties = { type: "button", class: "dwt-link", "data-testid": "mistakes-more", hidden: true };
    this.more = h("button", { ...properties, onclick: () => this.showMore() });
    const parts = [this.summaryText, this.error, this.strip.element, this.more];
    this.element = h("section", { class: "dwt-mistakes", "aria-label": "Mistakes" }, ...parts);
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.store.setVisible(this, []);
  }

  update(run: RunResults, shown: boolean): void {
    if (run.summary.run !== this.run?.summary.run) this.limit = BATCH;
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
      const { summary } = run;
      return { version: runVersion(summary), run: summary.run, truth: null, prediction: null, right: false, limit };
    };
    store.setVisible(this, [request(this.limit)]);
    const { value: list, error } = store.list(request(this.limit));
    const photographs = (list ?? store.list(request(this.limit - BATCH)).value)?.photographs ?? [];
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    setText(this.summaryText, list ? describeMistakes(run, list.total) : "");
    this.strip.update(run.summary.run, groupTests(photographs));
    const remaining = (list?.total ?? 0) - photographs.length;
    this.more.hidden = remaining <= 0 || photographs.length < this.limit; // the kernel's limit is reached
    setText(this.more, `Show ${formatInteger(Math.min(remaining, BATCH))} of ${formatInteger(remaining)} more`);
  }
}

function describeMistakes(run: RunResults, total: number): string {
  const tests = formatInteger(run.tests.reduce((sum, count) => sum + count, 0));
  if (!total) return `None of ${tests} tests was misclassified.`;
  const order = run.hasConfidences ? "the most confident first" : "this head gives no probabilities";
  return `${formatInteger(total)} of ${tests} tests were misclassified; ${order}. Select a photograph to see similar mistakes.`;
}
