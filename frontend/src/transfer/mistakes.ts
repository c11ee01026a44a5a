import { h, setText } from "../ui/dom.ts";
import { grouped, percent } from "../ui/format.ts";
import { cutName } from "./class_names.ts";
import { createStrip, foldWords, groupedTests, photographWords } from "./photographs.ts";
import { runVersion } from "./run_results.ts";
import type { PhotographStore } from "./photographs.ts";
import type { RunView } from "./run_results.ts";
import type { TransferState } from "./wire.ts";

const MISTAKES_SHOWN = 48;

/** The mistakes of which the head was surest. */
export class Mistakes {
  store: PhotographStore;
  limit: number;
  run: RunView | null;
  strip: ReturnType<typeof createStrip>;
  words: HTMLElement;
  failure: HTMLElement;
  more: HTMLElement;
  element: HTMLElement;
  ignore: () => void;

  /** @param options `choose` leads to a cell's photographs */
  constructor({ store, choose }: { store: PhotographStore; choose: (cell: [number, number]) => void }) {
    this.store = store;
    this.limit = MISTAKES_SHOWN;
    this.run = null;
    const names = (one: number) => this.run?.categories[one] ?? "";
    const caption = (one: Grouped) => [
      cutName(names(one.truth)),
      cutName(`→ ${names(one.prediction)}`),
      one.confidence === null ? foldWords(one.folds) : `${percent(one.confidence)} · ${foldWords(one.folds)}`,
    ];
    const words = (one: Grouped) => photographWords(one, this.run?.categories ?? []);
    const pick = (one: Grouped) => choose([one.truth, one.prediction]);
    this.strip = createStrip({ store, label: "Most confident mistakes", testid: "mistakes", caption, words, pick });
    this.words = h("p", { class: "dwt-dim", "data-testid": "mistakes-words" });
    this.failure = h("p", { class: "dwx-error", hidden: true });
    this.more = h("button", {
      type: "button",
      class: "dwt-link",
      "data-testid": "mistakes-more",
      hidden: true,
      onclick: () => this.showMore(),
    });
    this.element = h(
      "section",
      { class: "dwt-mistakes", "aria-label": "Mistakes" },
      this.words,
      this.failure,
      this.strip.element,
      this.more,
    );
    this.ignore = store.listen(() => this.draw());
  }

  close() {
    this.ignore();
  }

  showMore() {
    this.limit += MISTAKES_SHOWN;
    this.draw();
  }

  update({ run, shown }: { run: RunView; state: TransferState; shown: boolean }) {
    if (run.summary.run !== this.run?.summary.run) this.limit = MISTAKES_SHOWN;
    this.run = shown ? run : null;
    if (!shown) this.store.want("mistakes", []);
    this.draw();
  }

  draw() {
    const { run, store } = this;
    if (!run) return;
    const ask = (limit: number) => ({
      version: runVersion(run.summary),
      run: run.summary.run,
      truth: null,
      prediction: null,
      right: false,
      limit,
    });
    const wanted = ask(this.limit);
    store.want("mistakes", [wanted]);
    const { found, failure } = store.found(wanted);
    this.failure.hidden = !failure;
    setText(this.failure, failure ?? "");
    const photographs = (found ?? store.found(ask(this.limit - MISTAKES_SHOWN)).found)?.photographs ?? [];
    setText(this.words, found ? mistakesWords(run, found.total) : "");
    this.strip.update(run.summary.run, groupedTests(photographs));
    const left = (found?.total ?? 0) - photographs.length;
    this.more.hidden = left <= 0 || photographs.length < this.limit; // the kernel names so many at most
    setText(this.more, `Show ${grouped(Math.min(left, MISTAKES_SHOWN))} of ${grouped(left)} more`);
  }
}

function mistakesWords(run: RunView, total: number) {
  const tests = run.tests.reduce((sum, one) => sum + one, 0);
  if (!total) return `None of ${grouped(tests)} tests was answered wrongly.`;
  const order = run.hasConfidences ? "the surest first" : "this head says only which class, not how sure it is";
  return `${grouped(total)} of ${grouped(tests)} tests were answered wrongly; ${order}. Choose one to see what else was confused so.`;
}
