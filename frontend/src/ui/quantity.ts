/** What a model predicts, in words: probabilities of classes, or values of a regression. Must agree with `records/quantity.py`. */
import type { Quantity } from "../kernel/wire.ts";
import { formatInteger, formatPercent, percentChange } from "./format.ts";

/** Format a value with four significant digits, and no exponent from 0.001 to a million. */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e6)) return value.toExponential(3).replace(/\.?0+e/, "e");
  return magnitude >= 1000 ? formatInteger(Math.round(value)) : String(Number(value.toPrecision(4)));
}

/** Format a value with three significant digits and without its unit, for the ends of a colour scale. */
export function formatShortValue(value: number): string {
  return formatValue(Number(value.toPrecision(3)));
}

export function isValue(quantity: Quantity | null): boolean {
  return quantity?.kind === "value";
}

/** Format a probability in percent, or a value with its unit. */
export function formatScore(quantity: Quantity | null, score: number | null | undefined): string {
  if (!isValue(quantity)) return formatPercent(score);
  const text = formatValue(score);
  return quantity?.unit && text !== "–" ? `${text} ${quantity.unit}` : text;
}

/** Format the change of a probability by the patches, in percentage points of the displayed values, or the change of a value. */
export function formatScoreChange(quantity: Quantity | null, { before, now }: { before: number; now: number }): string {
  const change = isValue(quantity) ? now - before : percentChange(before, now);
  const size = isValue(quantity) ? formatShortValue(Math.abs(change)) : String(Math.abs(change));
  const isNone = isValue(quantity) ? Math.abs(change) <= 1e-6 * Math.max(Math.abs(before), Math.abs(now)) : change === 0;
  return isNone ? "" : change > 0 ? `+${size}` : `−${size}`;
}

/** Return the quantity of a class or an output, as a title: "Probability of cat", "Depth in m". */
export function describeQuantity(quantity: Quantity | null, name: string): string {
  if (!isValue(quantity)) return `Probability of ${name}`;
  const described = quantity?.unit ? `${name} in ${quantity.unit}` : name;
  return described.charAt(0).toUpperCase() + described.slice(1);
}
