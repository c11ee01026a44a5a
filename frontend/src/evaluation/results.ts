/** The results of a run, by task. */
import { type ClassResults, OTHER_CLASS } from "../classification/class_results.ts";
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { ClassificationReply, EvaluationState, MultilabelReply, RegressionReply, RunReply, RunSummary, Status } from "./wire.ts";

export interface ClassificationResults extends ClassResults {
  task: "classification";
  reply: ClassificationReply;
}

export interface MultilabelResults {
  task: "multilabel";
  version: string;
  reply: MultilabelReply;
  averagePrecision: Float32Array;
  tests: Int32Array;
  /** (99, classes): photographs that reach the thresholds 1% to 99%, and those of them that have the label. */
  predicted: Int32Array;
  right: Int32Array;
}

export interface RegressionResults {
  task: "regression";
  version: string;
  reply: RegressionReply;
  sources: Int32Array;
  /** (photographs, outputs) */
  truths: Float32Array;
  predictions: Float32Array;
}

export type Results = ClassificationResults | MultilabelResults | RegressionResults;

const WORDS = { item: "photograph", untested: "this class has no photograph", folds: "" };

/** Return a key that changes with the results of a run. */
export function runVersion({ run, photographs, phase }: Pick<RunSummary, "run" | "photographs" | "phase">): string {
  return `${run} ${photographs} ${phase}`;
}

/** Return the selected run, by default the newest. */
export function shownRun(status: Pick<Status, "runs"> | null, state: Pick<EvaluationState, "run">): RunSummary | null {
  const runs = status?.runs ?? [];
  return runs.find(({ run }) => run === state.run) ?? runs.at(-1) ?? null;
}

/** Return whether a run goes on. */
export function isActive({ phase }: Pick<RunSummary, "phase">): boolean {
  return phase === "running" || phase === "waiting";
}

/** Return the run to compare the shown one with: the selected one, or that before it. */
export function comparedRun(
  status: Pick<Status, "runs" | "before" | "after">,
  state: Pick<EvaluationState, "run" | "before">,
): RunSummary | null {
  const shown = shownRun(status, state);
  if (shown?.task !== "classification" || !shown.photographs) return null;
  const compared = state.before ?? (shown.run === status.after ? status.before : null);
  return status.runs.find(({ run, photographs }) => run === compared && run !== shown.run && photographs > 0) ?? null;
}

const NAMED = 3; // predicted classes in a row of the most confused

export function readResults(reply: RunReply, buffers: DataView[]): Results {
  const version = runVersion(reply.summary);
  if (reply.task === "classification") return readClassification(reply, buffers);
  if (reply.task === "multilabel") {
    const [averagePrecision, tests] = [toFloat32Array(buffers[0]), toInt32Array(buffers[1])];
    const [predicted, right] = [toInt32Array(buffers[2]), toInt32Array(buffers[3])];
    return { task: "multilabel", version, reply, averagePrecision, tests, predicted, right };
  }
  const [truths, predictions] = [toFloat32Array(buffers[1]), toFloat32Array(buffers[2])];
  return { task: "regression", version, reply, sources: toInt32Array(buffers[0]), truths, predictions };
}

/** Read a classification. If a prediction is none of the evaluated classes, there is a class for it, without photographs of its own. */
function readClassification(reply: ClassificationReply, buffers: DataView[]): ClassificationResults {
  const [accuracy, tests, counts] = [toFloat32Array(buffers[0]), toInt32Array(buffers[1]), toInt32Array(buffers[2])];
  const classes = reply.categories.length;
  const hasOthers = reply.categories.some((_, row) => (counts[row * (classes + 1) + classes] ?? 0) > 0);
  const size = classes + Number(hasOthers);
  const confusion = new Int32Array(size * size);
  for (let row = 0; row < classes; row += 1) {
    confusion.set(counts.subarray(row * (classes + 1), row * (classes + 1) + size), row * size);
  }
  const common = { version: runVersion(reply.summary), run: reply.summary.run, hasConfidences: true, words: WORDS };
  const categories = hasOthers ? [...reply.categories, OTHER_CLASS] : reply.categories;
  const padded = {
    accuracy: Float32Array.of(...accuracy, Number.NaN).subarray(0, size),
    tests: Int32Array.of(...tests, 0).subarray(0, size),
  };
  const predictedName = (truth: number, prediction: number) =>
    prediction === classes ? nameOthers(reply.others[truth] ?? []) : (reply.categories[prediction] ?? `class ${prediction}`);
  return { task: "classification", reply, ...common, categories, ...padded, confusion, predictedName };
}

/** Name predicted classes that are no category: "crab", or "crab 2, lobster". */
export function nameOthers(others: [name: string, count: number][]): string {
  const [only] = others;
  if (!only) return OTHER_CLASS;
  const shown = others.length === 1 ? [only[0]] : others.slice(0, NAMED).map(([name, count]) => (count > 1 ? `${name} ${count}` : name));
  return `${shown.join(", ")}${others.length > NAMED ? ", …" : ""}`;
}
