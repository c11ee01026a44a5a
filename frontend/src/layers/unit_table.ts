import { aligned } from "./buffers.js";

/**
 * All units of a layer as the grid needs them: sorted, filtered, counted.
 *
 * @typedef {object} Table
 * @property {string} layer
 * @property {number} units
 * @property {number} k
 * @property {Record<string, Float32Array>} columns maximum, mean, std, fires, selectivity
 * @property {Int32Array} labels units x k, -1 where unknown
 * @property {Record<string, string>} categories label number to class name
 *
 * @typedef {object} ClassCount
 * @property {number} label
 * @property {string} name
 * @property {number} count
 */

export const SORTS = /** @type {[string, string][]} */ ([
  ["strongest", "strongest"],
  ["mean", "mean"],
  ["selectivity", "selectivity"],
  ["dead", "dead first"],
  ["index", "index"],
]);

/**
 * @param {any} answer
 * @param {DataView[]} buffers
 * @returns {Table}
 */
export function readTable(answer, buffers) {
  const { layer, units, k, categories } = answer;
  const numbers = new Float32Array(aligned(buffers[0]));
  /** @type {Record<string, Float32Array>} */
  const columns = {};
  answer.columns.forEach((/** @type {string} */ name, /** @type {number} */ at) => {
    columns[name] = numbers.subarray(at * units, (at + 1) * units);
  });
  return { layer, units, k, columns, labels: new Int32Array(aligned(buffers[1])), categories };
}

/** @param {Table} table @param {number} unit */
export function isDead(table, unit) {
  return table.columns.fires[unit] === 0;
}

/**
 * All units in order; ties by number. NaN comes last.
 * @param {Table} table
 * @param {string} sort
 * @returns {number[]}
 */
export function orderUnits(table, sort) {
  const units = Array.from({ length: table.units }, (_, unit) => unit);
  if (sort === "index") return units;
  const { maximum, mean, selectivity, fires } = table.columns;
  const column = { strongest: maximum, mean, selectivity, dead: fires }[sort] ?? maximum;
  const sign = sort === "dead" ? 1 : -1;
  /** @param {number} unit */
  const key = (unit) => (Number.isNaN(column[unit]) ? Infinity : sign * column[unit]);
  return units.sort((a, b) => (key(a) === key(b) ? a - b : key(a) < key(b) ? -1 : 1));
}

/**
 * The classes among a unit's nine, commonest first; ties by their place among the nine.
 * @param {Table} table
 * @param {number} unit
 * @returns {ClassCount[]}
 */
export function classCounts(table, unit) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const label of table.labels.subarray(unit * table.k, (unit + 1) * table.k)) {
    if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const named = [...counts].map(([label, count]) => ({ label, count, name: table.categories[label] ?? String(label) }));
  return named.sort((a, b) => b.count - a.count); // stable
}

/**
 * The labels whose class names hold the words; null where nothing is filtered.
 * @param {Table} table
 * @param {string} words
 * @returns {Set<number> | null}
 */
export function labelsNamed(table, words) {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return null;
  const entries = Object.entries(table.categories);
  const exact = entries.filter(([, name]) => name.toLowerCase() === wanted);
  const found = exact.length ? exact : entries.filter(([, name]) => name.toLowerCase().includes(wanted));
  return new Set(found.map(([label]) => Number(label)));
}

/**
 * Those of `order` that have one of the labels among their nine.
 * @param {Table} table
 * @param {number[]} order
 * @param {Set<number> | null} labels
 */
export function filterUnits(table, order, labels) {
  if (!labels) return order;
  return order.filter((unit) => {
    for (let at = unit * table.k; at < (unit + 1) * table.k; at += 1) if (labels.has(table.labels[at])) return true;
    return false;
  });
}

/**
 * What the search box says: a unit's number, or words of a class.
 * @param {string} text
 * @returns {{unit: number} | {words: string}}
 */
export function readSearch(text) {
  const match = /^\s*(?:unit\s*|#)?(\d+)\s*$/i.exec(text);
  return match ? { unit: Number(match[1]) } : { words: text.trim() };
}

/**
 * Class names to suggest: those among the layer's nines, commonest first.
 * @param {Table} table
 */
export function suggestions(table) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const label of table.labels) if (label >= 0) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts].sort((a, b) => b[1] - a[1]).map(([label]) => label);
  return labels.map((label) => table.categories[label]).filter(Boolean);
}
