/** The comparison of two runs, and the settings of a run. */

import { accuracyGains } from "../classification/class_results.ts";
import { createGains, formatPoints } from "../classification/gains.ts";
import { h, setText } from "../ui/dom.ts";
import { formatDuration } from "../ui/format.ts";
import { formatAccuracy, runAccuracy } from "./accuracy.ts";
import type { RunResults } from "./run_results.ts";
import { formatDecay } from "./training_lines.ts";
import type { RunSummary } from "./wire.ts";

const MAX_GAINS = 6; // number of classes with the largest gains, and with the largest losses
const CROPS: Record<string, string> = { one: "1 per photograph", flips: "1 per photograph + mirrored", ten: "10 per photograph" };
const SETTINGS: [string, (summary: RunSummary) => string][] = [
  ["data", ({ dataset }) => dataset],
  ["layer", ({ layer }) => layer],
  ["features", ({ features }) => features || "–"],
  ["images per class", (summary) => String(summary.images_per_class)],
  ["folds", ({ per_fold, folds }) => (per_fold.length === folds ? String(folds) : `${per_fold.length} of ${folds}`)],
  ["crops", ({ views }) => CROPS[views] ?? views],
  ["weight decay", (summary) => formatWeightDecay(summary)],
  ["temperature", ({ temperatures }) => formatTemperature(temperatures)],
  ["calibration error", ({ calibration }) => (calibration ? `${(100 * calibration.error).toFixed(1)}%` : "–")],
  ["log loss", ({ calibration }) => calibration?.log_loss?.toFixed(3) ?? "–"],
  ["time", ({ seconds }) => formatDuration(seconds)],
];

/** Format the weight decays of the folds; equal values are listed once. */
export function formatWeightDecay({
  weight_decay: given,
  weight_decays: chosen,
}: Pick<RunSummary, "weight_decay" | "weight_decays">): string {
  const decays = [...new Set(chosen.map((decay) => formatDecay(Number(decay.toPrecision(3)))))].join(", ");
  if (given !== null) return decays || formatDecay(given);
  return decays ? `${decays} (chosen for each fold)` : "to be chosen";
}

/** Format the temperatures of the folds: their range. */
export function formatTemperature(temperatures: number[]): string {
  if (!temperatures.length) return "–";
  const [low, high] = [Math.min(...temperatures), Math.max(...temperatures)].map((value) => String(Number(value.toPrecision(2))));
  return low === high ? `${low}` : `${low} to ${high}`;
}

export function createComparison() {
  const title = h("h3", { "data-testid": "compare-title" });
  const value = h("div", { class: "dwt-value", "data-testid": "compare-difference" });
  const accuracies = h("p", { class: "dwc-dim", "data-testid": "compare-words" });
  const table = h("table", { class: "dwt-settings", "data-testid": "compare-settings" });
  const gained = createGains("compare-gained", "Largest gains");
  const lost = createGains("compare-lost", "Largest losses");
  const columns = h("div", { class: "dwc-two-columns" }, gained.element, lost.element);
  const properties = { class: "dwt-compare", "aria-label": "Comparison of two runs", "data-testid": "compare" };
  const element = h("section", properties, title, value, accuracies, columns, table);

  const update = (run: RunResults, other: RunResults) => {
    const [accuracy, otherAccuracy] = [runAccuracy(run.summary), runAccuracy(other.summary)];
    const gains = accuracyGains(run, other);
    const sameClasses = gains.length === run.categories.length && gains.length === other.categories.length;
    setText(title, `Run ${run.summary.run} compared with run ${other.summary.run}`);
    setText(value, `${formatPoints((accuracy.mean ?? 0) - (otherAccuracy.mean ?? 0))} points`);
    setText(
      accuracies,
      `${formatAccuracy(accuracy)} compared with ${formatAccuracy(otherAccuracy)}${sameClasses ? "" : ` · ${gains.length} classes in common`}`,
    );
    const longest = Math.max(0.01, ...gains.map(({ gain }) => Math.abs(gain)));
    gained.update(gains.filter(({ gain }) => gain > 0).slice(0, MAX_GAINS), longest);
    const losses = gains.filter(({ gain }) => gain < 0).slice(-MAX_GAINS);
    lost.update(losses.reverse(), longest);
    table.replaceChildren(...createSettingRows(run.summary, other.summary));
  };
  return { element, update };
}

function createSettingRows(run: RunSummary, other: RunSummary): HTMLElement[] {
  const headings = ["settings", `run ${run.run}`, `run ${other.run}`].map((text) => h("th", { scope: "col" }, text));
  const rows = SETTINGS.map(([name, format]) => {
    const [value, otherValue] = [format(run), format(other)];
    const cells = [h("th", { scope: "row" }, name), h("td", {}, value), h("td", {}, otherValue)];
    return h("tr", { class: value === otherValue ? null : "dwt-differs" }, ...cells);
  });
  return [h("tr", {}, ...headings), ...rows];
}

/** Create the settings of a run as terms and values. */
export function createSettings(summary: RunSummary): HTMLElement[] {
  return SETTINGS.map(([name, format]) => h("div", {}, h("dt", {}, name), h("dd", {}, format(summary))));
}
