/** The error of each variant by epoch, as the mean over its runs. */
import type { PlotContent, PlotLine } from "../ui/line_plot.ts";
import { percentScale } from "../ui/scales.ts";
import type { Measure, Row, Table } from "./wire.ts";

const COLOURS = 12; // of the classes dwg-layer-0 to dwg-layer-11

/** Return the class of the colour of a variant, by its place among all. */
export function colourOf(index: number, count: number): string {
  return `dwg-layer-${Math.floor((index * COLOURS) / Math.max(count, 1)) % COLOURS}`;
}

/** Return the lines of all variants; with one in detail, a thin line per run of it. */
export function curvesOf(table: Table, measure: Measure, shown: string | null): PlotContent {
  const place = measure === "train" ? 1 : 2;
  const lines = table.rows.flatMap((row, index) => {
    const colour = colourOf(index, table.rows.length);
    const dim = shown !== null && shown !== row.variant.name ? " dwa-dim" : "";
    const mean = meanLine(row, place, `${colour}${dim}`);
    const runs = shown === row.variant.name ? row.runs.map((run) => runLine(run.curve, place, `${colour} dwa-run-line`)) : [];
    return [...runs, ...(mean.x.length ? [mean] : [])];
  });
  const guessing = guessingError(table);
  const rules = guessing === null ? [] : [{ y: guessing, text: "guessing" }];
  const scale = percentScale(lines.flatMap(({ y }) => y.filter((value) => value !== null)));
  return { lines, points: [], rules, maxX: Math.max(table.epochs, 1), scale };
}

/** Return what errors curves show, and the error of guessing if the axis does not reach it. */
export function titleOf(title: string, table: Table, { scale }: PlotContent): string {
  const guessing = guessingError(table);
  const isAbove = guessing !== null && (scale?.height(guessing) ?? 0) > 1;
  return isAbove ? `${title} (guessing: ${guessing.toFixed(0)}%)` : title;
}

function guessingError({ classes }: Table): number | null {
  return classes > 1 ? 100 * (1 - 1 / classes) : null;
}

function runLine(curve: Row["runs"][number]["curve"], place: number, className: string): PlotLine {
  return { x: curve.map(([epoch]) => epoch), y: curve.map((point) => toPercent(point[place] ?? null)), className };
}

/** Return the mean over the runs, at the epochs that all begun runs have: a mean over fewer would jump where one of them ends. */
function meanLine({ runs }: Row, place: number, className: string): PlotLine {
  const begun = runs.map(({ curve }) => new Map(curve.map((point) => [point[0], point[place] ?? null]))).filter(({ size }) => size > 0);
  const x = [...(begun[0]?.keys() ?? [])].filter((epoch) => begun.every((run) => typeof run.get(epoch) === "number"));
  const y = x.map((epoch) => toPercent(begun.reduce((sum, run) => sum + (run.get(epoch) as number), 0) / begun.length));
  return { x, y, className };
}

function toPercent(share: number | null): number | null {
  return share === null ? null : 100 * share;
}
