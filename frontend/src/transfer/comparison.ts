import { h, setText } from "./dom.js";
import { duration } from "./format.js";
import { accuracyWords, runAccuracy } from "./transfer_headline.js";
import { cutName } from "./transfer_names.js";
import { gains } from "./transfer_runs.js";

const GAINS_SHOWN = 6; // classes that gained, and as many that lost
const RUN_SETTINGS = /** @type {[string, (summary: any) => string][]} */ ([
  ["data", (one) => one.dataset],
  ["layer", (one) => one.layer],
  ["features", (one) => one.features || "–"],
  ["images a class", (one) => String(one.images_per_class)],
  ["folds", (one) => (one.per_fold.length === one.folds ? String(one.folds) : `${one.per_fold.length} of ${one.folds}`)],
  ["views", (one) => one.views],
  ["weight decay", (one) => decayWords(one)],
  ["time", (one) => duration(one.seconds)],
]);

/** The weight decay of each fold, or the one of all. @param {any} summary */
export function decayWords({ weight_decay: asked, weight_decays: decays }) {
  const words = [...new Set(/** @type {number[]} */ (decays).map((one) => String(Number(one.toPrecision(3)))))].join(", ");
  if (asked !== null) return words || String(asked);
  return words ? `${words} (chosen)` : "to be chosen";
}

/** The difference of two runs in points of a percent, signed. @param {number} points */
export function pointsWords(points) {
  const rounded = Math.abs(points) < 0.05 ? 0 : points;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded).toFixed(1)}`;
}

/** Two runs side by side. */
export function createComparison() {
  const title = h("h3", { "data-testid": "compare-title" });
  const value = h("div", { class: "dwt-value", "data-testid": "compare-difference" });
  const words = h("p", { class: "dwt-dim", "data-testid": "compare-words" });
  const table = h("table", { class: "dwt-settings", "data-testid": "compare-settings" });
  const gained = createGains("compare-gained", "Gained most");
  const lost = createGains("compare-lost", "Lost most");
  const columns = h("div", { class: "dwt-two-columns" }, gained.element, lost.element);
  const element = h("section", { class: "dwt-compare", "aria-label": "Comparison of two runs", "data-testid": "compare" }, title, value, words, columns, table);

  /** @param {import("./transfer_runs.js").RunView} one @param {import("./transfer_runs.js").RunView} other */
  const update = (one, other) => {
    const [ours, theirs] = [one, other].map((view) => runAccuracy(view.summary));
    setText(title, `Run ${one.summary.run} against run ${other.summary.run}`);
    setText(value, `${pointsWords(/** @type {number} */ (ours.mean) - /** @type {number} */ (theirs.mean))} points`);
    const changes = gains(one, other);
    const common = changes.length === one.categories.length && changes.length === other.categories.length ? "" : ` · ${changes.length} classes in common`;
    setText(words, `${accuracyWords(ours.mean, ours.std)} against ${accuracyWords(theirs.mean, theirs.std)}${common}`);
    const longest = Math.max(0.01, ...changes.map(({ gain }) => Math.abs(gain)));
    gained.update(changes.filter(({ gain }) => gain > 0).slice(0, GAINS_SHOWN), longest);
    lost.update(changes.filter(({ gain }) => gain < 0).slice(-GAINS_SHOWN).reverse(), longest);
    table.replaceChildren(...settingRows(one.summary, other.summary));
  };
  return { element, update };
}

/** @param {any} one @param {any} other */
function settingRows(one, other) {
  const head = h("tr", {}, h("th", { scope: "col" }, "settings"), h("th", { scope: "col" }, `run ${one.run}`), h("th", { scope: "col" }, `run ${other.run}`));
  const rows = RUN_SETTINGS.map(([name, words]) => {
    const [ours, theirs] = [words(one), words(other)];
    return h("tr", { class: ours === theirs ? null : "dwt-differs" }, h("th", { scope: "row" }, name), h("td", {}, ours), h("td", {}, theirs));
  });
  return [head, ...rows];
}

/** @param {string} testid @param {string} words */
function createGains(testid, words) {
  const list = h("ol", { class: "dwt-gains", "data-testid": testid });
  const element = h("div", {}, h("h4", {}, words), list);
  /** @param {{name: string, before: number, after: number, gain: number}[]} changes @param {number} longest */
  const update = (changes, longest) => {
    const rows = changes.map(({ name, before, after, gain }) => {
      const bar = h("span", { class: "dwt-track" }, h("i", { class: gain > 0 ? "dwt-fill-right" : "dwt-fill-wrong", style: `width:${(100 * Math.abs(gain)) / longest}%` }));
      const from = h("span", { class: "dwt-number dwt-dim" }, `${(100 * before).toFixed(0)} → ${(100 * after).toFixed(0)} %`);
      return h("li", {}, h("span", { class: "dwt-gain-name", title: name }, cutName(name)), bar, h("span", { class: "dwt-number" }, pointsWords(100 * gain)), from);
    });
    list.replaceChildren(...(rows.length ? rows : [h("li", { class: "dwt-dim" }, "none")]));
  };
  return { element, update };
}

/** A run's settings on their own. @param {any} summary */
export function settingList(summary) {
  return RUN_SETTINGS.map(([name, words]) => h("div", {}, h("dt", {}, name), h("dd", {}, words(summary))));
}
