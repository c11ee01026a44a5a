/** The curves of the two charts. */

import { formatFixed } from "../ui/format.ts";
import { ticks as roundNumbers } from "../ui/line_plot.ts";
import { describeRateStep } from "../ui/rate_step.ts";
import type { Curve, EpochChartContent } from "./epoch_chart.ts";
import type { Convergence, Evolution } from "./wire.ts";

/** Return numbers in an order in which the first few are spread evenly: the ends, then the middle, and so on. */
export function endsFirst(values: readonly number[]): number[] {
  const last = values.length - 1;
  const found = new Set<number>();
  for (let parts = 1; parts <= 2 * last; parts *= 2) {
    for (let part = 0; part <= parts; part += 1) found.add(Math.round((part * last) / parts));
  }
  if (last === 0) found.add(0);
  return [...found].map((index) => values[index] ?? 0);
}

/** Later layers are darker. */
function strengthOf(index: number, count: number): number {
  return count > 1 ? 0.4 + (0.6 * index) / (count - 1) : 1;
}

const decimals = (value: number | null | undefined) => (value === null || value === undefined ? "–" : formatFixed(value, 2));

/** Return the curves of the layers: names and the values of the first checkpoint on the left, those of the current one on the right. */
export function convergenceContent({ epochs, curves }: Convergence, current: number | null, range: [number, number]): EpochChartContent {
  const at = current === null ? epochs.length - 1 : epochs.indexOf(current);
  const lines = curves.map(({ layer, values }, index): Curve => {
    const value = at < 0 ? undefined : values[at];
    const end = values.at(-1);
    return {
      x: epochs,
      y: values,
      className: "",
      strength: strengthOf(index, curves.length),
      points: true,
      name: layer,
      first: decimals(values[0]),
      ...(value === undefined ? {} : { last: decimals(value), lastY: value ?? end ?? 0 }),
    };
  });
  return { curves: lines, ticks: [0, 0.5, 1], maxY: 1, epochs: endsFirst(epochs), range, current, marks: [] };
}

/** Return the loss of both sets, and the top-1 accuracy from 0 to 1 over the whole height. */
export function trainingContent(
  { log, rate_steps }: Pick<Evolution, "log" | "rate_steps">,
  current: number | null,
  range: [number, number],
): EpochChartContent {
  const lines: [key: "train_loss" | "validation_loss" | "validation_top1" | "train_top1", name: string, strength: number][] = [
    ["train_loss", "train", 0.5],
    ["validation_loss", "validation", 1],
  ];
  const accuracy = log.some((entry) => entry.validation_top1 !== null) ? "validation_top1" : "train_top1";
  lines.push([accuracy, "top-1", 0.8]);
  const losses = log.flatMap(({ train_loss, validation_loss }) => [train_loss, validation_loss]).filter((value) => value !== null);
  const top = Math.max(0, ...losses);
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((size) => top / size <= 4) ?? 10 ** Math.ceil(Math.log10(top));
  const ticks = top > 0 ? Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => Number((index * step).toPrecision(6))) : [];
  const curves = lines.flatMap(([key, name, strength]): Curve[] => {
    const entries = log.filter((entry) => entry[key] !== null);
    if (!entries.length) return [];
    const share = key.endsWith("top1");
    const className = share ? "dwv-dashed" : "";
    const y = entries.map((entry) => entry[key]);
    return [
      { x: entries.map(({ epoch }) => epoch), y, share, className, strength, points: false, name, last: name, lastY: y.at(-1) ?? null },
    ];
  });
  const marks = rate_steps.map(({ epoch, factor }) => ({ x: epoch, text: describeRateStep(factor) }));
  const epochs = roundNumbers(range[1]).filter((epoch) => epoch >= range[0]);
  return { curves, ticks, maxY: top, epochs, range, current, marks };
}
