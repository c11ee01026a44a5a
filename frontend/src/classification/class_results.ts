/** Predictions on labelled photographs, counted by class. Classes are indices into `categories`. */
import { formatInteger, formatPercent } from "../ui/format.ts";

/** The name of the column of the confusion matrix for predictions that are none of the evaluated classes. */
export const OTHER_CLASS = "another class";

/** A cell of the confusion matrix: the true and the predicted class. */
export type Cell = [truth: number, prediction: number];
export type ClassSort = "worst" | "best" | "name" | "size";
export type MatrixOrder = "name" | "accuracy";

/** The part of a widget's state that the views of classes need. */
export interface ClassViewState {
  /** The selected cell of the confusion matrix. */
  cell: Cell | null;
  /** The order of the list of classes. */
  sort: ClassSort;
  /** The order of the confusion matrix. */
  order: MatrixOrder;
}

/** What the texts call the counted items. */
export interface ResultWords {
  /** "test": a photograph may be tested in several folds; "photograph". */
  item: string;
  /** Why a class has none. */
  untested: string;
  /** Follows the number of a cell: " in 5 folds". */
  folds: string;
}

export interface ClassResults {
  /** Changes with the content. */
  version: string;
  /** The number by which the kernel knows them. */
  run: number;
  categories: string[];
  /** The accuracy of each class; NaN for a class without tests. */
  accuracy: Float32Array;
  /** The number of tests of each class. */
  tests: Int32Array;
  /** (classes, classes): rows are true classes, columns are predicted classes. */
  confusion: Int32Array;
  hasConfidences: boolean;
  words: ResultWords;
  /** The name of a predicted class, if it depends on the true class what a column stands for. */
  predictedName?: (truth: number, prediction: number) => string;
}

type Confusion = Pick<ClassResults, "categories" | "tests" | "confusion">;
type Accuracies = Pick<ClassResults, "categories" | "accuracy">;

/** A cell of the confusion matrix, with its number of tests. */
export interface Pair {
  truth: number;
  prediction: number;
  count: number;
  /** The share of the tests of the true class. */
  share: number;
}

export function countTests({ tests }: Pick<ClassResults, "tests">, label: number): number {
  return tests[label] ?? 0;
}

export function accuracyOf({ accuracy }: Pick<ClassResults, "accuracy">, label: number): number {
  return accuracy[label] ?? Number.NaN;
}

export function categoryOf({ categories }: Pick<ClassResults, "categories">, label: number): string {
  return categories[label] ?? `class ${label}`;
}

export function pairAt(run: Confusion, truth: number, prediction: number): Pair {
  const count = run.confusion[truth * run.categories.length + prediction] ?? 0;
  const tests = countTests(run, truth);
  return { truth, prediction, count, share: tests ? count / tests : 0 };
}

/** Describe a cell. */
export function describeCell(run: Confusion & Pick<ClassResults, "words">, truth: number, prediction: number): string {
  const { count, share } = pairAt(run, truth, prediction);
  const tests = countTests(run, truth);
  const numbers = tests ? `${formatInteger(count)} of ${formatInteger(tests)} (${formatPercent(share)})` : `no ${run.words.item}s`;
  return `${categoryOf(run, truth)} → ${categoryOf(run, prediction)}: ${numbers}`;
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

/** Return all classes in sort order: classes without tests last, other classes after them, ties by name. */
export function orderClasses(run: Pick<ClassResults, "categories" | "accuracy" | "tests">, sort: ClassSort): number[] {
  const collator = new Intl.Collator("en", { numeric: true });
  const key = (label: number) => {
    if (sort === "name") return 0;
    if (sort === "size") return -countTests(run, label);
    const accuracy = accuracyOf(run, label);
    if (Number.isNaN(accuracy)) return Number.POSITIVE_INFINITY;
    return sort === "best" ? -accuracy : accuracy;
  };
  const isOther = (label: number) => Number(categoryOf(run, label) === OTHER_CLASS);
  const byName = (a: number, b: number) => collator.compare(categoryOf(run, a), categoryOf(run, b));
  return run.categories
    .map((_, label) => label)
    .sort((a, b) => isOther(a) - isOther(b) || (key(a) === key(b) ? 0 : key(a) - key(b)) || byName(a, b) || a - b);
}

/** Return the classes with the lowest and the highest accuracy. The lists are disjoint, the worst have errors, and the best are not at 0%. */
export function extremeClasses(
  run: Pick<ClassResults, "categories" | "accuracy" | "tests">,
  limit: number,
): { worst: number[]; best: number[] } {
  const ranked = orderClasses(run, "worst").filter((label) => !Number.isNaN(accuracyOf(run, label)));
  const worst = ranked.filter((label) => accuracyOf(run, label) < 1).slice(0, Math.min(limit, ranked.length >> 1));
  const best = orderClasses(run, "best")
    .filter((label) => accuracyOf(run, label) > 0)
    .slice(0, Math.min(limit, ranked.length - worst.length));
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
export function accuracyGains(run: Accuracies, other: Accuracies): Gain[] {
  const labelsByName = new Map(other.categories.map((name, label) => [name, label]));
  const gains = run.categories.flatMap((name, label): Gain[] => {
    const after = accuracyOf(run, label);
    const before = accuracyOf(other, labelsByName.get(name) ?? -1);
    return Number.isNaN(before) || Number.isNaN(after) ? [] : [{ name, before, after, gain: after - before }];
  });
  return gains.sort((a, b) => b.gain - a.gain || a.name.localeCompare(b.name, "en"));
}
