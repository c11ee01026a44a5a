/** Steps of the learning rate, which the kernel finds in the log of a training. */

/** An epoch whose learning rate is clearly another than that of the epoch before, and by which factor. */
export interface RateStep {
  epoch: number;
  factor: number;
}

/** Return a factor in words: "rate / 10", "rate × 2". */
export function describeRateStep(factor: number): string {
  const [sign, shown] = factor < 1 ? ["/", 1 / factor] : ["×", factor];
  return `rate ${sign} ${Number(shown.toPrecision(2))}`;
}
