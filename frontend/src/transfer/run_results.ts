/** The results of a run. Classes are indices into `categories`. */
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { SkippedImage } from "../kernel/wire.ts";
import type { ClassSort, RunReply, RunSummary, Status, TransferState } from "./wire.ts";

export interface RunResults {
  summary: RunSummary;
  categories: string[];
  /** The accuracy of each class; NaN for a class without tests. */
  accuracy: Float32Array;
  /** The number of tests of each class in all folds. */
  tests: Int32Array;
  /** (classes, classes): rows are true classes, columns are predicted classes. */
  confusion: Int32Array;
  skipped: SkippedImage[];
  hasConfidences: boolean;
}

/** A cell of the confusion matrix, with its number of tests. */
export interface Pair {
  truth: number;
  prediction: number;
  count: number;
  /** The share of the tests of the true class. */
  share: number;
}

export function readResults({ summary, categories, skipped, has_confidences }: RunReply, buffers: DataView[]): RunResults {
  const [accuracy, tests, confusion] = [toFloat32Array(buffers[0]), toInt32Array(buffers[1]), toInt32Array(buffers[2])];
  return { summary, categories, skipped, accuracy, tests, confusion, hasConfidences: has_confidences };
}

/** Return the selected run, by default the newest. */
export function shownRun(status: Pick<Status, "runs"> | null, state: Pick<TransferState, "run">): RunSummary | null {
  const runs = status?.runs ?? [];
  return runs.find(({ run }) => run === state.run) ?? runs.at(-1) ?? null;
}

/** Return a key that changes with the results of a run. */
export function runVersion({ run, per_fold, phase }: Pick<RunSummary, "run" | "per_fold" | "phase">): string {
  return `${run} ${per_fold.length} ${phase}`;
}

export function countTests({ tests }: Pick<RunResults, "tests">, label: number): number {
  return tests[label] ?? 0;
}

export function accuracyOf({ accuracy }: Pick<RunResults, "accuracy">, label: number): number {
  return accuracy[label] ?? Number.NaN;
}

export function categoryOf({ categories }: Pick<RunResults, "categories">, label: number): string {
  return categories[label] ?? `class ${label}`;
}

type Confusion = Pick<RunResults, "categories" | "tests" | "confusion">;

export function pairAt(run: Confusion, truth: number, prediction: number): Pair {
  const count = run.confusion[truth * run.categories.length + prediction] ?? 0;
  const tests = countTests(run, truth);
  return { truth, prediction, count, share: tests ? count / tests : 0 };
}

/**
 * Return the most confused pairs of classes, by descending share, then by descending number.
 * @param truth return only pairs with this true class
 */
export function confusedPairs(run: Confusion, limit: number, truth: number | null = null): Pair[] {
  const count = run.categories.length;
  const pairs: Pair[] = [];
  const [first, end] = truth === null ? [0, count] : [truth, truth + 1];
  for (let row = first; row < end; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (row === column) continue;
      const pair = pairAt(run, row, column);
      if (pair.count > 0) pairs.push(pair);
    }
  }
  pairs.sort((a, b) => b.share - a.share || b.count - a.count || a.truth - b.truth || a.prediction - b.prediction);
  return pairs.slice(0, limit);
}

/** Return all classes in sort order: classes without tests last, ties by name. */
export function orderClasses(run: Pick<RunResults, "categories" | "accuracy" | "tests">, sort: ClassSort): number[] {
  const collator = new Intl.Collator("en", { numeric: true });
  const key = (label: number) => {
    if (sort === "name") return 0;
    if (sort === "size") return -countTests(run, label);
    const accuracy = accuracyOf(run, label);
    if (Number.isNaN(accuracy)) return Number.POSITIVE_INFINITY;
    return sort === "best" ? -accuracy : accuracy;
  };
  const byName = (a: number, b: number) => collator.compare(categoryOf(run, a), categoryOf(run, b));
  return run.categories.map((_, label) => label).sort((a, b) => (key(a) === key(b) ? 0 : key(a) - key(b)) || byName(a, b) || a - b);
}

/** Return the classes with the lowest and the highest accuracy. The lists are disjoint, and the worst classes have errors. */
export function extremeClasses(
  run: Pick<RunResults, "categories" | "accuracy" | "tests">,
  limit: number,
): { worst: number[]; best: number[] } {
  const ranked = orderClasses(run, "worst").filter((label) => !Number.isNaN(accuracyOf(run, label)));
  const worst = ranked.filter((label) => accuracyOf(run, label) < 1).slice(0, Math.min(limit, ranked.length >> 1));
  const best = orderClasses(run, "best").slice(0, Math.min(limit, ranked.length - worst.length));
  return { worst, best };
}

/** The accuracy of a class in another run and in this run. */
export interface Gain {
  name: string;
  before: number;
  after: number;
  gain: number;
}

/** Return the differences of class accuracies from another run, by descending gain. Classes are matched by name. */
export function accuracyGains(
  run: Pick<RunResults, "categories" | "accuracy">,
  other: Pick<RunResults, "categories" | "accuracy">,
): Gain[] {
  const labelsByName = new Map(other.categories.map((name, label) => [name, label]));
  const gains = run.categories.flatMap((name, label): Gain[] => {
    const after = accuracyOf(run, label);
    const before = accuracyOf(other, labelsByName.get(name) ?? -1);
    return Number.isNaN(before) || Number.isNaN(after) ? [] : [{ name, before, after, gain: after - before }];
  });
  return gains.sort((a, b) => b.gain - a.gain || a.name.localeCompare(b.name, "en"));
}
