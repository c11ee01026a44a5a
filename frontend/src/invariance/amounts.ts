/** Amounts of transformations, in words and on sliders. */
import type { Transform } from "./wire.ts";

/** Format an amount with its unit: "12 px", "1.25×", "45°". */
export function formatAmount({ unit, whole }: Transform, amount: number): string {
  const text = whole ? String(Math.round(amount)) : String(Number(amount.toFixed(2)));
  if (unit === "px") return `${text} px`;
  return `${text}${unit === "x" ? "×" : unit}`;
}

/** Return the range of a slider. */
export function sliderRange({ amounts, whole, unit }: Transform): { min: number; max: number; step: number } {
  const [min, max] = [Math.min(...amounts), Math.max(...amounts)];
  return { min, max, step: whole || unit === "°" || max - min > 20 ? 1 : 0.01 };
}

/** Return the amount of a slider nearest to a number. */
export function nearest(transform: Transform, amount: number): number {
  const { min, max, step } = sliderRange(transform);
  const stepped = min + Math.round((amount - min) / step) * step;
  return Number(Math.min(max, Math.max(min, stepped)).toFixed(4));
}

/** Return the title of the horizontal axis. */
export function axisTitle({ label, unit }: Transform): string {
  const units: Record<string, string> = { px: "pixels of the model's input", x: "factor", "°": "degrees counterclockwise" };
  return units[unit] ? `${label}, ${units[unit]}` : label;
}

/** Return about five amounts to be written below a chart. */
export function axisTicks(transform: Transform): { x: number; text: string }[] {
  const { min, max } = sliderRange(transform);
  const rough = (max - min) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const bases = transform.unit === "°" ? [4.5, 9] : [1, 2, 2.5, 5, 10];
  const step = power * (bases.find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(min / step - 1e-9);
  const count = Math.floor(max / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => {
    const x = Number(((first + index) * step).toFixed(6));
    return { x, text: String(x) };
  });
}
