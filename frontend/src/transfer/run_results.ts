/** The results of a run. Classes are indices into `categories`. */

import type { ClassResults } from "../classification/class_results.ts";
import { toFloat32Array, toInt32Array } from "../kernel/buffers.ts";
import type { SkippedImage } from "../kernel/wire.ts";
import { formatCount } from "../ui/format.ts";
import type { RunReply, RunSummary, Status, TransferState } from "./wire.ts";

export interface RunResults extends ClassResults {
  summary: RunSummary;
  skipped: SkippedImage[];
}

export function readResults({ summary, categories, skipped, has_confidences }: RunReply, buffers: DataView[]): RunResults {
  const [accuracy, tests, confusion] = [toFloat32Array(buffers[0]), toInt32Array(buffers[1]), toInt32Array(buffers[2])];
  const folds = ` in ${formatCount(summary.per_fold.length, "fold")}`;
  const words = { item: "test", untested: "all photographs were used for training", folds };
  const known = { version: runVersion(summary), run: summary.run, words };
  return { ...known, summary, categories, skipped, accuracy, tests, confusion, hasConfidences: has_confidences };
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
