import { floats, integers } from "../kernel/buffers.ts";
import type { RunReply, RunSummary, Status, TransferState } from "./wire.ts";

export interface RunView {
  summary: RunSummary;
  categories: string[];
  /** share of each class's tests that were right, NaN for a class without any */
  accuracy: Float32Array;
  /** of each class, over all folds */
  tests: Int32Array;
  /** classes x classes, rows truths, columns predictions */
  confusion: Int32Array;
  skipped: { name: string; reason: string }[];
  hasConfidences: boolean;
}

/** classes that were taken one for the other */
export interface Pair {
  truth: number;
  prediction: number;
  /** tests of the class `truth` */
  count: number;
  /** of them */
  share: number;
}

/** A run's results as the views need them. Classes are numbered as in `categories`. */

export function readRun(answer: RunReply, buffers: DataView[]): RunView {
  const { summary, categories, skipped } = answer;
  const [tests, confusion] = [buffers[1], buffers[2]].map((buffer) => integers(buffer));
  return {
    summary,
    categories,
    skipped,
    accuracy: floats(buffers[0]),
    tests,
    confusion,
    hasConfidences: answer.has_confidences,
  };
}

/** The run that is shown: the one asked for, or the newest. */
export function shownRun(status: Pick<Status, "runs"> | null, state: Pick<TransferState, "run"> | null) {
  const runs = status?.runs ?? [];
  return runs.find((one) => one.run === state?.run) ?? runs.at(-1) ?? null;
}

/** Says what its results depend on: they are asked for again when it changes. */
export function runVersion(summary: RunSummary) {
  return `${summary.run} ${summary.per_fold.length} ${summary.phase}`;
}

export function pairAt(view: RunView, truth: number, prediction: number): Pair {
  const count = view.confusion[truth * view.categories.length + prediction] ?? 0;
  return { truth, prediction, count, share: view.tests[truth] ? count / view.tests[truth] : 0 };
}

/**
 * The mistakes that were made most often: by share of the class, then by number.
 * @param truth those of one class alone
 */
export function confusedPairs(view: RunView, most: number, truth: number | null = null): Pair[] {
  const count = view.categories.length;
  const pairs: Pair[] = [];
  const [first, last] = truth === null ? [0, count] : [truth, truth + 1];
  for (let row = first; row < last; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (row !== column && view.confusion[row * count + column] > 0) pairs.push(pairAt(view, row, column));
    }
  }
  pairs.sort((a, b) => b.share - a.share || b.count - a.count || a.truth - b.truth || a.prediction - b.prediction);
  return pairs.slice(0, most);
}

/**
 * All classes in order; those without tests last, ties by name.
 * @param sort "worst", "best", "name" or "size"
 */
export function orderClasses({ categories, accuracy, tests }: RunView, sort: string): number[] {
  const collator = new Intl.Collator("en", { numeric: true });
  const value = (one: number) => {
    if (sort === "name") return 0;
    if (sort === "size") return -tests[one];
    if (Number.isNaN(accuracy[one])) return Infinity;
    return sort === "best" ? -accuracy[one] : accuracy[one];
  };
  return categories
    .map((_, at) => at)
    .sort((a, b) => (value(a) === value(b) ? 0 : value(a) - value(b)) || collator.compare(categories[a], categories[b]) || a - b);
}

/**
 * The classes that are told best and worst, in no case one in both; none is among the worst that was always told.
 * @param most of each
 */
export function extremes(view: RunView, most: number): { worst: number[]; best: number[] } {
  const ranked = orderClasses(view, "worst").filter((one) => !Number.isNaN(view.accuracy[one]));
  const worst = ranked.filter((one) => view.accuracy[one] < 1).slice(0, Math.min(most, ranked.length >> 1));
  const best = orderClasses(view, "best").slice(0, Math.min(most, ranked.length - worst.length));
  return { worst, best };
}

/**
 * What another run did better and worse, class by class; classes are met by name.
 * @returns shares; `before` is `other`'s; the largest gain first
 */
export function gains(one: RunView, other: RunView): { name: string; before: number; after: number; gain: number }[] {
  const places = new Map(other.categories.map((name, at) => [name, at]));
  const found = [];
  for (const [at, name] of one.categories.entries()) {
    const before = other.accuracy[places.get(name) ?? -1] ?? NaN;
    const after = one.accuracy[at];
    if (!Number.isNaN(before) && !Number.isNaN(after)) found.push({ name, before, after, gain: after - before });
  }
  return found.sort((a, b) => b.gain - a.gain || a.name.localeCompare(b.name, "en"));
}
