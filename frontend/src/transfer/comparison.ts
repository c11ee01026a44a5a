import { h, setText } from "../ui/dom.ts";
import { duration } from "../ui/format.ts";
import { accuracyWords, runAccuracy } from "./headline.ts";
import { cutName } from "./class_names.ts";
import { gains } from "./run_results.ts";
import type { RunView } from "./run_results.ts";
import type { RunSummary } from "./wire.ts";

const GAINS_SHOWN = 6; // classes that gained, and as many that lost
const RUN_SETTINGS: [string, (summary: RunSummary) => string][] = [
  ["data", (one) => one.dataset],
  ["layer", (one) => one.layer],
  ["features", (one) => one.features || "–"],
  ["images a class", (one) => String(one.images_per_class)],
  ["folds", (one) => (one.per_fold.length === one.folds ? String(one.folds) : `${one.per_fold.length} of ${one.folds}`)],
  ["views", (one) => one.views],
  ["weight decay", (one) => decayWords(one)],
  ["time", (one) => duration(one.seconds)],
];

/** The weight decay of each fold, or the one of all. */
export function decayWords({ weight_decay: asked, weight_decays: decays }: RunSummary) {
  const words = [...new Set((decays as number[]).map((one) => String(Number(one.toPrecision(3)))))].join(", ");
  if (asked !== null) return words || String(asked);
  return words ? `${words} (chosen)` : "to be chosen";
}

/** The difference of two runs in points of a percent, signed. */
export function pointsWords(points: number) {
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
  const element = h(
    "section",
    { class: "dwt-compare", "aria-label": "Comparison of two runs", "data-testid": "compare" },
    title,
    value,
    words,
    columns,
    table,
  );

  const update = (one: RunView, other: RunView) => {
    const [ours, theirs] = [one, other].map((view) => runAccuracy(view.summary));
    setText(title, `Run ${one.summary.run} against run ${other.summary.run}`);
    setText(value, `${pointsWords((ours.mean as number) - (theirs.mean as number))} points`);
    const changes = gains(one, other);
    const common =
      changes.length === one.categories.length && changes.length === other.categories.length
        ? ""
        : ` · ${changes.length} classes in common`;
    setText(words, `${accuracyWords(ours.mean, ours.std)} against ${accuracyWords(theirs.mean, theirs.std)}${common}`);
    const longest = Math.max(0.01, ...changes.map(({ gain }) => Math.abs(gain)));
    gained.update(changes.filter(({ gain }) => gain > 0).slice(0, GAINS_SHOWN), longest);
    lost.update(
      changes
        .filter(({ gain }) => gain < 0)
        .slice(-GAINS_SHOWN)
        .reverse(),
      longest,
    );
    table.replaceChildren(...settingRows(one.summary, other.summary));
  };
  return { element, update };
}

function settingRows(one: RunSummary, other: RunSummary) {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "settings"),
    h("th", { scope: "col" }, `run ${one.run}`),
    h("th", { scope: "col" }, `run ${other.run}`),
  );
  const rows = RUN_SETTINGS.map(([name, words]) => {
    const [ours, theirs] = [words(one), words(other)];
    return h(
      "tr",
      { class: ours === theirs ? null : "dwt-differs" },
      h("th", { scope: "row" }, name),
      h("td", {}, ours),
      h("td", {}, theirs),
    );
  });
  return [head, ...rows];
}

function createGains(testid: string, words: string) {
  const list = h("ol", { class: "dwt-gains", "data-testid": testid });
  const element = h("div", {}, h("h4", {}, words), list);
  const update = (changes: { name: string; before: number; after: number; gain: number }[], longest: number) => {
    const rows = changes.map(({ name, before, after, gain }) => {
      const bar = h(
        "span",
        { class: "dwt-track" },
        h("i", { class: gain > 0 ? "dwt-fill-right" : "dwt-fill-wrong", style: `width:${(100 * Math.abs(gain)) / longest}%` }),
      );
      const from = h("span", { class: "dwt-number dwt-dim" }, `${(100 * before).toFixed(0)} → ${(100 * after).toFixed(0)} %`);
      return h(
        "li",
        {},
        h("span", { class: "dwt-gain-name", title: name }, cutName(name)),
        bar,
        h("span", { class: "dwt-number" }, pointsWords(100 * gain)),
        from,
      );
    });
    list.replaceChildren(...(rows.length ? rows : [h("li", { class: "dwt-dim" }, "none")]));
  };
  return { element, update };
}

/** A run's settings on their own. */
export function settingList(summary: RunSummary) {
  return RUN_SETTINGS.map(([name, words]) => h("div", {}, h("dt", {}, name), h("dd", {}, words(summary))));
}
