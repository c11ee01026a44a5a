/** The vertical axes of plots: from a value to its height, and the values that are written beside the axis. */

export interface Scale {
  /** Return the height of a value, from 0 at the bottom to 1 at the top; null if the axis does not have it. */
  height(value: number): number | null;
  ticks: { value: number; text: string }[];
}

const SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Return the axis of percentages from 0 to 100; with values that are all below 50, from 0 to a round number above them. */
export function percentScale(values?: Iterable<number>): Scale {
  const highest = values ? Math.max(0, ...finite(values)) : 100;
  if (highest > 0 && highest < 50) {
    const { height, ticks } = linearScale([highest]);
    return { height, ticks: ticks.map(({ value, text }) => ({ value, text: `${text}%` })) };
  }
  return { height: (value) => value / 100, ticks: [0, 25, 50, 75, 100].map((value) => ({ value, text: `${value}%` })) };
}

/** Return an axis from 0 to a round number above all values. */
export function linearScale(values: Iterable<number>): Scale {
  const highest = Math.max(0, ...finite(values)) || 1;
  const step = roundStep(highest / 4);
  const count = Math.ceil(highest / step - 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({ value: index * step, text: (index * step).toFixed(digits) }));
  return { height: (value) => value / (count * step), ticks };
}

/** Return a logarithmic axis between powers of ten around all positive values. */
export function logScale(values: Iterable<number>): Scale {
  const exponents = finite(values).flatMap((value) => (value > 0 ? [Math.log10(value)] : []));
  const [least, most] = exponents.length ? [Math.min(...exponents), Math.max(...exponents)] : [-3, 0];
  const margin = most - least < 1e-9 ? 0.5 : 0; // a constant is drawn at half the height
  const [low, high] = [Math.floor(least - margin + 1e-9), Math.ceil(most + margin - 1e-9)];
  const stride = Math.ceil((high - low) / 6);
  const powers = Array.from({ length: Math.floor((high - low) / stride) + 1 }, (_, index) => low + index * stride);
  return {
    height: (value) => (value > 0 ? (Math.log10(value) - low) / (high - low) : null),
    ticks: powers.map((power) => ({ value: 10 ** power, text: powerText(power) })),
  };
}

/** Return a power of ten in words: 0.1, 1, 10, and 10⁻³ for smaller ones. */
function powerText(exponent: number): string {
  if (exponent >= -1 && exponent <= 3) return String(Number((10 ** exponent).toPrecision(1)));
  return `10${[...String(exponent)].map((letter) => SUPERSCRIPTS["-0123456789".indexOf(letter)]).join("")}`;
}

/** Return 1, 2 or 5 times a power of ten that is at least `rough`. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return (([1, 2, 5].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10) * power) as number;
}

function finite(values: Iterable<number>): number[] {
  return [...values].filter(Number.isFinite);
}
