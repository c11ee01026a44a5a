/** What the training chart shows of a run: lines, points, and texts. */
import { formatPercent } from "../ui/format.ts";
import type { PlotContent, PlotLine } from "../ui/line_plot.ts";
import type { RunSummary, TrainingLine, TrainingReply } from "./wire.ts";

const MIN_STEPS = 10; // of the axis
const CANDIDATE_COLOURS = 6;

export interface LegendItem {
  className: string;
  /** "dashed" lines are those of held-out images. */
  mark: "line" | "dashed" | "point";
  text: string;
  value: string;
}

export interface TrainingContent {
  plot: PlotContent;
  legend: LegendItem[];
  /** The lines that are read at a step. */
  read: { name: string; line: PlotLine }[];
}

type Run = Pick<RunSummary, "per_fold" | "classes" | "folds">;

const last = (values: (number | null)[]): number | null => values.findLast((value) => value !== null) ?? null;
const percent = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : formatPercent(value / 100));

/** Format a weight decay: "10⁻³", or any other than a power of ten as a decimal number. */
export function formatDecay(decay: number): string {
  const exponent = Math.round(Math.log10(decay));
  const isPower = exponent <= -2 && Math.abs(decay / 10 ** exponent - 1) < 1e-6;
  return isPower ? `10${[...String(exponent)].map((letter) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(letter)]).join("")}` : String(decay);
}

function plotLine({ steps, train }: TrainingLine, className: string, offset = 0): PlotLine {
  return {
    x: steps.map((step) => (step ?? 0) + offset),
    y: steps.map((step, index) => (step === null ? null : (train[index] ?? null))),
    className,
  };
}

function heldOutLine({ steps, held_out }: TrainingLine, className: string): PlotLine {
  return { x: steps.map((step) => step ?? 0), y: held_out, className: `${className} dwt-held-out` };
}

function searchContent({ candidates }: TrainingReply, content: TrainingContent): number {
  candidates.forEach((candidate, index) => {
    const className = `dwt-candidate-${index % CANDIDATE_COLOURS}`;
    const [train, heldOut] = [plotLine(candidate, className), heldOutLine(candidate, className)];
    content.plot.lines.push(train, heldOut);
    const name = `weight decay ${formatDecay(candidate.weight_decay)}`;
    const accuracies = `training ${percent(last(candidate.train))}, held out ${percent(last(candidate.held_out))}`;
    content.legend.push({ className, mark: "line", text: name, value: accuracies });
    content.read.push({ name: "training images", line: train }, { name: "held-out images", line: heldOut });
  });
  return candidates.flatMap(({ steps }) => steps).reduce<number>((most, step) => Math.max(most, step ?? 0), 0);
}

function finalContent(reply: TrainingReply, run: Run, offset: number, content: TrainingContent): void {
  const { plot, legend, read } = content;
  if (!offset) for (const line of reply.earlier) plot.lines.push(plotLine(line, "dwt-earlier"));
  const line = plotLine(reply.final, "dwt-final", offset);
  plot.lines.push(line);
  read.push({ name: "training images", line });
  legend.push({ className: "dwt-final", mark: "line", text: "training images", value: percent(last(reply.final.train)) });
  const { per_fold: tests, folds } = run;
  if (!tests.length) return;
  const x = offset + Math.max(0, reply.final.steps.length - 1);
  tests.forEach((share, fold) => {
    const newest = fold === tests.length - 1 ? "" : " dwt-old";
    plot.points.push({
      x,
      y: 100 * share,
      title: `fold ${fold + 1}: ${formatPercent(share)} of the test images`,
      className: `dwt-test${newest}`,
    });
  });
  const mean = tests.reduce((sum, share) => sum + share, 0) / tests.length;
  const which = folds === 1 ? "test images" : `test images (mean of ${tests.length} of ${folds} folds)`;
  legend.push({ className: "dwt-test", mark: "point", text: which, value: formatPercent(mean) });
}

/** Return what is shown of a run. Without lines there are the axes, and the accuracy of guessing. */
export function trainingContent(reply: TrainingReply | null, run: Run): TrainingContent {
  const content: TrainingContent = { plot: { lines: [], points: [], rules: [], maxX: 0 }, legend: [], read: [] };
  if (run.classes > 1) content.plot.rules.push({ y: 100 / run.classes, text: `guessing: ${formatPercent(1 / run.classes)}` });
  if (!reply || reply.fold === null) return content;
  const offset = searchContent(reply, content);
  if (offset) content.legend.push({ className: "dwc-dim", mark: "dashed", text: "dotted: held-out images", value: "" });
  if (reply.final_fold !== null) finalContent(reply, run, offset, content);
  const most = content.plot.lines.flatMap(({ x }) => x).reduce((max, x) => Math.max(max, x), 0);
  content.plot.maxX = Math.max(MIN_STEPS, most);
  return content;
}

/** Describe the values at a step. */
export function describeStep({ read }: TrainingContent, step: number): string {
  const values = read.flatMap(({ name, line }) => {
    const value = line.y[line.x.indexOf(step)];
    return value === null || value === undefined ? [] : [`${name} ${percent(value)}`];
  });
  return values.length ? `Step ${step}: ${values.join(", ")}` : "";
}

/** Describe what is shown; empty without lines. */
export function describeTraining(reply: TrainingReply | null, { folds }: Run): string {
  if (!reply || reply.fold === null) return "";
  const fold = (number: number) => (folds === 1 ? "" : `Fold ${number + 1} of ${folds}: `);
  if (reply.final_fold !== null && !reply.candidates.length) return `${fold(reply.final_fold)}accuracy at each training step`;
  const newest = reply.candidates.at(-1);
  if (!newest) return "";
  return `${fold(reply.fold)}searching for the weight decay with the best accuracy on held-out images`;
}
