import { aligned } from "./buffers.js";

/**
 * A run's results as the views need them. Classes are numbered as in `categories`.
 *
 * @typedef {object} RunView
 * @property {any} summary
 * @property {string[]} categories
 * @property {Float32Array} accuracy share of each class's tests that were right, NaN for a class without any
 * @property {Int32Array} tests of each class, over all folds
 * @property {Int32Array} confusion classes x classes, rows truths, columns predictions
 * @property {{name: string, reason: string}[]} skipped
 * @property {boolean} hasConfidences
 *
 * @typedef {object} Pair classes that were taken one for the other
 * @property {number} truth
 * @property {number} prediction
 * @property {number} count tests of the class `truth`
 * @property {number} share of them
 */

/**
 * @param {any} answer
 * @param {DataView[]} buffers
 * @returns {RunView}
 */
export function readRun(answer, buffers) {
  const { summary, categories, skipped } = answer;
  const [tests, confusion] = [buffers[1], buffers[2]].map((buffer) => new Int32Array(aligned(buffer)));
  return { summary, categories, skipped, accuracy: new Float32Array(aligned(buffers[0])), tests, confusion, hasConfidences: answer.has_confidences };
}

/**
 * The run that is shown: the one asked for, or the newest.
 * @param {any} status @param {any} state
 */
export function shownRun(status, state) {
  const runs = status?.runs ?? [];
  return runs.find((/** @type {any} */ one) => one.run === state?.run) ?? runs.at(-1) ?? null;
}

/** Says what its results depend on: they are asked for again when it changes. @param {any} summary */
export function runVersion(summary) {
  return `${summary.run} ${summary.per_fold.length} ${summary.phase}`;
}

/** @param {RunView} view @param {number} truth @param {number} prediction @returns {Pair} */
export function pairAt(view, truth, prediction) {
  const count = view.confusion[truth * view.categories.length + prediction] ?? 0;
  return { truth, prediction, count, share: view.tests[truth] ? count / view.tests[truth] : 0 };
}

/**
 * The mistakes that were made most often: by share of the class, then by number.
 * @param {RunView} view
 * @param {number} most
 * @param {number | null} [truth] those of one class alone
 * @returns {Pair[]}
 */
export function confusedPairs(view, most, truth = null) {
  const count = view.categories.length;
  /** @type {Pair[]} */
  const pairs = [];
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
 * @param {RunView} view
 * @param {string} sort "worst", "best", "name" or "size"
 * @returns {number[]}
 */
export function orderClasses({ categories, accuracy, tests }, sort) {
  const collator = new Intl.Collator("en", { numeric: true });
  /** @param {number} one */
  const value = (one) => {
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
 * @param {RunView} view
 * @param {number} most of each
 * @returns {{worst: number[], best: number[]}}
 */
export function extremes(view, most) {
  const ranked = orderClasses(view, "worst").filter((one) => !Number.isNaN(view.accuracy[one]));
  const worst = ranked.filter((one) => view.accuracy[one] < 1).slice(0, Math.min(most, ranked.length >> 1));
  const best = orderClasses(view, "best").slice(0, Math.min(most, ranked.length - worst.length));
  return { worst, best };
}

/**
 * What another run did better and worse, class by class; classes are met by name.
 * @param {RunView} one @param {RunView} other
 * @returns {{name: string, before: number, after: number, gain: number}[]} shares; `before` is `other`'s; the largest gain first
 */
export function gains(one, other) {
  const places = new Map(other.categories.map((name, at) => [name, at]));
  const found = [];
  for (const [at, name] of one.categories.entries()) {
    const before = other.accuracy[places.get(name) ?? -1] ?? NaN;
    const after = one.accuracy[at];
    if (!Number.isNaN(before) && !Number.isNaN(after)) found.push({ name, before, after, gain: after - before });
  }
  return found.sort((a, b) => b.gain - a.gain || a.name.localeCompare(b.name, "en"));
}
