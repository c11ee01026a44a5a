/** What the four plots show of a log: loss, error or accuracy, learning rate, and how much the layers change. */
import { formatNumber, formatPercent } from "../ui/format.ts";
import type { PlotContent, PlotLine } from "../ui/line_plot.ts";
import { describeRateStep } from "../ui/rate_step.ts";
import { linearScale, logScale, percentScale, type Scale } from "../ui/scales.ts";
import type { Column, LayerMeasure, Status, TrainingLog, TrainingState } from "./wire.ts";

const MIN_EPOCHS = 5; // of the axis
const LAYER_COLOURS = 12;
const USUAL_RATIO = 1e-3;

export interface CurveLine extends PlotLine {
  name: string;
  /** The dotted name of a layer. */
  title?: string;
}

export interface Curves {
  plot: PlotContent;
  lines: CurveLine[];
  /** Format a value of a line. */
  format: (value: number | null) => string;
  /** What is shown in place of lines. */
  empty: string;
}

export type CurveName = "loss" | "accuracy" | "rate" | "layers";

const LINES: [suffix: string, className: string, name: string][] = [
  ["train", "dwg-train", "training"],
  ["validation", "dwg-validation", "validation"],
];

/** Return what all plots show. */
export function curvesOf(log: TrainingLog, status: Status, state: TrainingState): Record<CurveName, Curves> {
  return {
    loss: lossCurves(log, status),
    accuracy: accuracyCurves(log, status, state.accuracy),
    rate: rateCurves(log, status),
    layers: layerCurves(log, status, state.layers),
  };
}

function lossCurves(log: TrainingLog, status: Status): Curves {
  const lines = LINES.map(([suffix, className, name]) => line(log, `${suffix}_loss` as Column, className, name));
  return assemble(log, status, lines, linearScale, formatLoss, livePoint(status, status.progress?.loss ?? null, formatLoss));
}

function accuracyCurves(log: TrainingLog, status: Status, shown: TrainingState["accuracy"]): Curves {
  const percent = (share: number | null) => (share === null ? null : 100 * (shown === "error" ? 1 - share : share));
  const classes = status.plan?.classes.length ?? 0;
  const shares = classes && classes <= 5 ? ["top1"] : ["top1", "top5"]; // among five classes, top-5 is always right
  const lines = shares.flatMap((top) =>
    LINES.map(([suffix, className, name]) => {
      const dotted = top === "top5" ? " dwg-dotted" : "";
      return line(log, `${suffix}_${top}` as Column, `${className}${dotted}`, `${name} ${top.replace("top", "top-")}`, percent);
    }),
  );
  const live = livePoint(status, percent(status.progress?.top1 ?? null), formatShare);
  const curves = assemble(log, status, lines, percentScale, formatShare, live);
  if (classes > 1) {
    const share = shown === "error" ? 1 - 1 / classes : 1 / classes;
    curves.plot.rules.push({ y: 100 * share, text: `guessing: ${formatPercent(share)}` });
  }
  return curves;
}

function rateCurves(log: TrainingLog, status: Status): Curves {
  const lines = [line(log, "learning_rate", "dwg-rate", "learning rate")];
  const live = livePoint(status, status.progress?.learning_rate ?? null, formatSmall, "dwg-rate");
  return assemble(log, status, lines, logScale, formatSmall, live);
}

function layerCurves(log: TrainingLog, status: Status, measure: LayerMeasure): Curves {
  const aliases = new Map(status.layer_names);
  const lines = log.layers.map((layer, index) => {
    const colour = Math.floor((index * LAYER_COLOURS) / Math.max(LAYER_COLOURS, log.layers.length));
    return {
      name: aliases.get(layer) ?? layer,
      title: layer,
      x: log.epochs,
      y: log[measure][index] ?? [],
      className: `dwg-layer-${colour}`,
    };
  });
  const curves = assemble(log, status, lines, logScale, formatSmall, []);
  if (measure === "ratio" && curves.lines.length) curves.plot.rules.push({ y: USUAL_RATIO, text: "10⁻³ is usual" });
  return curves;
}

function line(
  log: TrainingLog,
  column: Column,
  className: string,
  name: string,
  convert: (value: number | null) => number | null = (value) => value,
): CurveLine {
  return { name, x: log.epochs, y: log.columns[column].map(convert), className };
}

/** Return the mean of the epoch that is running, at its place between two epochs. */
function livePoint(status: Status, value: number | null, format: Curves["format"], className = "dwg-train"): PlotContent["points"] {
  const { progress, phase } = status;
  if (phase !== "running" || !progress?.steps || !progress.step || value === null) return [];
  const place = progress.epoch + Math.min(1, progress.step / progress.steps);
  return [{ x: place, y: value, title: `epoch ${progress.epoch + 1} so far: ${format(value)}`, className: `${className} dwg-live` }];
}

function assemble(
  log: TrainingLog,
  status: Status,
  all: CurveLine[],
  scaleOf: (values: number[]) => Scale,
  format: Curves["format"],
  live: PlotContent["points"],
): Curves {
  const lines = all.filter(({ y }) => y.some((value) => value !== null));
  const points = lines.flatMap((one) => singlePoints(one, format));
  const values = [...lines.flatMap(({ y }) => y), ...live.map(({ y }) => y)].filter((value) => value !== null);
  const last = Math.max(log.epochs.at(-1) ?? 0, ...live.map(({ x }) => x));
  const marks: PlotContent["marks"] = [
    ...log.rate_steps.map(({ epoch: x, factor }) => ({ x, title: `epoch ${x}: ${describeRateStep(factor)}`, kind: "line" as const })),
    ...status.checkpoints.filter((x) => x <= last).map((x) => ({ x, title: `checkpoint of epoch ${x}`, kind: "triangle" as const })),
  ];
  const plot = { lines, points: [...points, ...live], rules: [], maxX: Math.max(MIN_EPOCHS, last), scale: scaleOf(values), marks };
  return { plot, lines, format, empty: log.epochs.length ? "Not measured." : "" };
}

/** Return a point for each value of a line that has no neighbour: a line is drawn between two values. */
function singlePoints({ x, y, className, name }: CurveLine, format: Curves["format"]): PlotContent["points"] {
  const missing = (index: number) => y[index] === null || y[index] === undefined;
  return x.flatMap((epoch, index) => {
    const value = y[index];
    if (value === null || value === undefined || !missing(index - 1) || !missing(index + 1)) return [];
    return [{ x: epoch, y: value, title: `${name}, epoch ${epoch}: ${format(value)}`, className }];
  });
}

/** Return the epoch of the log that is nearest to a place on the axis. */
export function nearestEpoch({ epochs }: TrainingLog, place: number): number | null {
  return epochs.reduce<number | null>(
    (best, epoch) => (best === null || Math.abs(epoch - place) < Math.abs(best - place) ? epoch : best),
    null,
  );
}

/** Return the value of a line at an epoch, by default its last one. */
export function valueAt({ x, y }: CurveLine, epoch: number | null): number | null {
  return epoch === null ? (y.findLast((value) => value !== null) ?? null) : (y[x.indexOf(epoch)] ?? null);
}

function formatLoss(value: number | null): string {
  return value === null ? "–" : value.toFixed(3);
}

function formatShare(value: number | null): string {
  return value === null ? "–" : `${value.toFixed(1)}%`;
}

/** Format a small positive number: 0.012, 3.4e-5. */
export function formatSmall(value: number | null): string {
  if (value === null) return "–";
  if (value >= 0.1) return formatNumber(value);
  return value >= 1e-3 ? String(Number(value.toPrecision(2))) : value.toExponential(1);
}
