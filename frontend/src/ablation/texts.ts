/** The numbers of an ablation study in words. */
import { formatCount, formatInteger, formatNumber, formatPace } from "../ui/format.ts";
import type { Difference, Estimate, Measure, Row, Run, Status, Table } from "./wire.ts";

export const MEASURES: Record<Measure, string> = { top1: "Top-1", top5: "Top-5", train: "Training" };
const PHASES: Record<Status["phase"], string> = {
  new: "Not started",
  running: "Training",
  stopping: "Stopping",
  complete: "Complete",
  incomplete: "Incomplete",
};
const RUN_PHASES: Record<Run["phase"], string> = {
  new: "not started",
  running: "training",
  stopping: "stopping",
  finished: "trained, not measured",
  cancelled: "cancelled",
  failed: "failed",
  interrupted: "interrupted",
  recorded: "recorded",
  complete: "complete",
};

export function describePhase({ phase }: Pick<Status, "phase">): string {
  return PHASES[phase];
}

/** Return "40.0 ± 1.2%"; a dash if nothing was measured. */
export function errorText(estimate: Estimate | null): string {
  if (!estimate) return "–";
  return `${percent(estimate.mean)}${estimate.std === null ? "" : ` ± ${percent(estimate.std)}`}%`;
}

/** Return "+2.1 [−0.4, +4.6]", in percentage points. */
export function differenceText(difference: Difference | null): string {
  if (!difference) return "";
  const { mean, interval } = difference;
  return `${signed(mean)}${interval ? ` [${signed(interval[0])}, ${signed(interval[1])}]` : ""}`;
}

/** Say what a difference means, for a tooltip. */
export function differenceHint(difference: Difference, baseline: string): string {
  const { mean, interval, count } = difference;
  const change = `${percent(Math.abs(mean))} percentage points ${mean < 0 ? "fewer" : "more"} errors than ${baseline}, in ${formatCount(count, "seed")}`;
  if (!interval) return `${change}; there is no interval`;
  const sure = interval[0] > 0 || interval[1] < 0 ? "it excludes 0" : "it contains 0: it may be chance";
  return `${change}. 95% confidence interval ${signed(interval[0])} to ${signed(interval[1])}: ${sure}`;
}

export function parametersText(count: number): string {
  return count >= 1e6 ? `${formatNumber(count / 1e6)} million` : formatInteger(count);
}

/** Return the paper's error, and its difference to the network that the paper changed. */
export function paperText({ variant: { paper } }: Row, measure: Measure): string {
  if (!paper) return "";
  if (measure !== "top1") return `${percent(measure === "top5" ? paper.top5 : paper.train_top1)}%`;
  const change = paper.top1 - paper.baseline_top1;
  return `${percent(paper.top1)}%${Math.abs(change) > 1e-9 ? ` (${signed(change)})` : ""}`;
}

/** Describe a run: its phase, its epoch, or its errors. */
export function describeRun(run: Run): string {
  if (run.phase === "new") return "not started";
  if (run.phase !== "complete") return `${RUN_PHASES[run.phase]}, epoch ${run.epoch} of ${run.epochs}`;
  const errors: [string, number | null][] = [
    ["top-1", run.top1_error],
    ["top-5", run.top5_error],
    ["training", run.train_error],
  ];
  return errors.flatMap(([name, error]) => (error === null ? [] : [`${name} ${percent(error)}%`])).join(" · ");
}

export function describeProgress({ table, progress }: Status): string {
  const planned = table.rows.length * table.seeds.length;
  const parts = planned ? [`${completeRuns(table)} of ${formatCount(planned, "run")} complete`] : [];
  if (progress) parts.push(progress.job);
  if (progress?.total) parts.push(formatPace(progress));
  return parts.filter(Boolean).join(" · ");
}

export function completeRuns({ rows }: Table): number {
  return rows.flatMap(({ runs }) => runs).filter(({ phase }) => phase === "complete").length;
}

/** Return the part of all epochs that is trained, from 0 to 1. */
export function doneShare({ rows, epochs }: Table): number {
  const runs = rows.flatMap((row) => row.runs);
  const done = runs.reduce((sum, run) => sum + Math.min(run.epoch, epochs), 0);
  return runs.length && epochs ? done / (runs.length * epochs) : 0;
}

/** Return names and values of what is trained on what. */
export function studyFacts(table: Table): [name: string, value: string][] {
  if (!table.rows.length) return [["Folder", table.folder]];
  const [channels, height, width] = table.input_size;
  return [
    ["Images", table.images],
    ["Train on", formatCount(table.training, "photograph")],
    ["Validate on", `${formatInteger(table.validation)} others`],
    ["Classes", formatInteger(table.classes)],
    ["Input", `${height} × ${width}${channels === 1 ? ", gray" : ""}`],
    ["Epochs", formatInteger(table.epochs)],
    ["Seeds", table.seeds.join(", ")],
    ["Baseline", table.baseline],
    ["Folder", table.folder],
  ];
}

/** Return the text of the button: what it does. */
export function buttonText({ phase, can_cancel }: Status, chosen: number, all: number): string {
  if (phase === "stopping") return "Stopping…";
  if (can_cancel) return "Cancel";
  const some = chosen < all ? ` ${formatCount(chosen, "variant")}` : "";
  return `${phase === "incomplete" ? "Resume" : "Start"}${some}`;
}

export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  const text = percent(Math.abs(share));
  return Number(text) === 0 ? text : `${share < 0 ? "−" : "+"}${text}`;
}
