/** Texts about runs and their scores. */
import { formatCount, formatDuration, formatInteger, formatNumber, formatPercent, formatProgress } from "../ui/format.ts";
import type { MultilabelResults, RegressionResults, Results } from "./results.ts";
import type { ClassificationReply, DataSummary, RunSummary } from "./wire.ts";

export interface Score {
  name: string;
  /** What is shown, if it is not the name. */
  label?: string;
  value: string;
  /** What it is, in a sentence. */
  hint: string;
}

/** Format an accuracy with one decimal, as it is reported. */
export function formatAccuracy(share: number | null): string {
  return share === null ? "–" : `${(100 * share).toFixed(1)}%`;
}

/** Format a loss. */
function formatLoss(value: number | null): string {
  return value === null ? "–" : value.toFixed(3);
}

/** Return the scores of a classifier, the most important first. */
export function classificationScores(reply: ClassificationReply): Score[] {
  const { accuracy, top5, class_accuracy, log_loss, reliability } = reply;
  const scores: Score[] = [
    { name: "top-1", value: formatAccuracy(accuracy), hint: "Share of photographs whose most probable class is right" },
    { name: "top-5", value: formatAccuracy(top5), hint: "Share of photographs whose class is among the five most probable" },
    { name: "mean per class", value: formatAccuracy(class_accuracy), hint: "Accuracy averaged over the classes" },
    {
      name: "ECE",
      label: "calibration error (ECE)",
      value: formatAccuracy(reliability.expected_error),
      hint: "Expected calibration error: how far confidence and accuracy differ, on average",
    },
    {
      name: "NLL",
      label: "log loss (NLL)",
      value: formatLoss(log_loss),
      hint: "Negative log-likelihood: mean of −log of the probability of the true class, 0 at best",
    },
  ];
  return top5 === null ? scores.filter(({ name }) => name !== "top-5") : scores;
}

/** Return the row of a threshold in the counts by threshold, 1% to 99%. */
export function thresholdRow(threshold: number): number {
  return Math.min(98, Math.max(0, Math.round(100 * threshold) - 1));
}

/** Return precision and recall of all classes together at a threshold in percent. */
export function countsAt({ predicted, right, tests }: MultilabelResults, threshold: number) {
  const classes = tests.length;
  const row = thresholdRow(threshold);
  const sum = (counts: Int32Array) => counts.reduce((total, count) => total + count, 0);
  const [found, hits, labelled] = [predicted, right]
    .map((counts) => sum(counts.subarray(row * classes, (row + 1) * classes)))
    .concat(sum(tests));
  return { precision: found ? (hits ?? 0) / found : Number.NaN, recall: labelled ? (hits ?? 0) / labelled : Number.NaN };
}

function multilabelScores(results: MultilabelResults, threshold: number): Score[] {
  const { precision, recall } = countsAt(results, threshold);
  const at = `at a threshold of ${formatPercent(threshold)}, over all classes together`;
  return [
    { name: "mAP", value: formatAccuracy(results.reply.mean_average_precision), hint: "Mean over the classes of their average precision" },
    { name: "precision", value: formatPercent(precision), hint: `Share of predicted labels that are right, ${at}` },
    { name: "recall", value: formatPercent(recall), hint: `Share of true labels that are predicted, ${at}` },
  ];
}

function regressionScores({ reply }: RegressionResults, output: number): Score[] {
  const unit = reply.unit ? ` ${reply.unit}` : "";
  const value = (values: (number | null)[]) => `${formatNumber(values[output])}${unit}`;
  return [
    { name: "mean absolute error", value: value(reply.mean_absolute_error), hint: "Mean of |predicted − true|" },
    { name: "RMSE", value: value(reply.root_mean_squared_error), hint: "Root of the mean squared error" },
    { name: "R²", value: formatNumber(reply.r2[output]), hint: "Coefficient of determination" },
  ];
}

/** Return the scores of results, the most important first. */
export function scoresOf(results: Results, threshold: number, output: number): Score[] {
  if (results.task === "classification") return classificationScores(results.reply);
  return results.task === "multilabel" ? multilabelScores(results, threshold) : regressionScores(results, output);
}

/** Describe the state of a run in one line. */
export function describePhase(run: RunSummary): string {
  const count = formatCount(run.photographs, "photograph");
  switch (run.phase) {
    case "waiting":
      return run.progress?.message || "Waiting until the previous run has stopped.";
    case "running":
      return formatProgress(run.progress, "photographs");
    case "stopped":
      return `Stopped after ${count} of ${formatInteger(run.total)}; they are kept, and the next run continues there.`;
    case "failed":
      return `Failed after ${count}.`;
    default:
      return `${count} of ${run.dataset}${run.from_cache ? ", partly from the cache" : ""}, ${formatDuration(run.seconds)}`;
  }
}

/** Describe a run in one line. The most distinctive properties come first, since narrow layouts truncate the end. */
export function describeRun({ run, score, task, dataset, classifier, phase }: RunSummary): string {
  const value = score === null ? phase : task === "regression" ? formatNumber(score) : formatAccuracy(score);
  const [, head, units] = /^(.*), (\d+ units? .*)$/.exec(classifier) ?? [];
  return [run, value, units, head ?? classifier, dataset].filter((part) => part !== undefined).join(" · ");
}

/** Describe how the classes of an image set match those of the model. Classes without photographs do not count. */
export function describeMatches({ matches: all }: Pick<DataSummary, "matches">): string {
  const matches = all.filter(({ photographs }) => photographs > 0);
  const isLeftOut = ({ how, classes }: DataSummary["matches"][number]) => how === "table" && !classes.length;
  const unmatched = matches.filter((match) => !match.classes.length && !isLeftOut(match)).length;
  const leftOut = matches.filter(isLeftOut).length;
  const matched = matches.length - unmatched - leftOut;
  if (matched === matches.length)
    return matched === 1 ? "Its class matches the model's" : `All ${formatInteger(matched)} classes match the model's`;
  const parts = [`${formatInteger(matched)} of ${formatCount(matches.length, "class", "classes")} matched with the model's`];
  if (leftOut) parts.push(`${formatInteger(leftOut)} left out`);
  if (unmatched) parts.push(`${formatInteger(unmatched)} without a match`);
  return parts.join(" · ");
}
