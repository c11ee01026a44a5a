/** The accuracy of a run, and texts that describe the run. */
import { formatCount, formatDuration } from "../ui/format.ts";
import type { RunSummary } from "./wire.ts";

export interface Accuracy {
  /** In percent; null before the first fold is complete. */
  mean: number | null;
  /** In percentage points; null for a single fold. */
  std: number | null;
}

export function runAccuracy({ per_fold, mean, std }: Pick<RunSummary, "per_fold" | "mean" | "std">): Accuracy {
  return { mean: per_fold.length ? 100 * (mean ?? 0) : null, std: per_fold.length > 1 ? 100 * (std ?? 0) : null };
}

export function formatAccuracy({ mean, std }: Accuracy): string {
  if (mean === null) return "–";
  return `${mean.toFixed(1)}${std === null ? "" : ` ± ${std.toFixed(1)}`}%`;
}

/** Describe the number of completed folds and the duration. */
export function describeFolds({ per_fold, folds, phase, seconds }: Pick<RunSummary, "per_fold" | "folds" | "phase" | "seconds">): string {
  const done = per_fold.length;
  const count = done === folds ? formatCount(folds, "fold") : `${done} of ${formatCount(folds, "fold")}`;
  const outcome = phase === "stopped" || phase === "failed" ? phase : "";
  return [count, outcome, seconds > 0 ? formatDuration(seconds) : ""].filter(Boolean).join(" · ");
}

/** Describe a run in one line. The most distinctive properties come first, since narrow layouts truncate the end. */
export function describeRun(summary: RunSummary): string {
  const { run, dataset, layer, images_per_class: images, without } = summary;
  const left = without ? ` without ${without}` : "";
  return `${run} · ${layer}${left} · ${formatAccuracy({ ...runAccuracy(summary), std: null })} · ${images} per class · ${dataset}`;
}
