/** Formatting of numbers and durations. */

/** Format a number with decimals, without a minus sign if it is rounded to zero. */
export function formatFixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

/** Format a number with about three significant digits, without an exponent. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return value.toFixed(0);
  if (magnitude >= 10) return value.toFixed(1);
  return magnitude === 0 ? "0" : formatFixed(value, 2);
}

/** Format an integer with thousands separators. */
export function formatInteger(count: number): string {
  return count.toLocaleString("en");
}

/** Format a fraction in percent, with one decimal near 0% and 100%. */
function percentText(fraction: number): string {
  const value = fraction * 100;
  return value.toFixed((value > 0 && value < 1) || (value > 99 && value < 100) ? 1 : 0);
}

export function formatPercent(fraction: number | null | undefined): string {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return "–";
  const shown = percentText(fraction);
  if (fraction > 0 && Number(shown) === 0) return "<0.1%";
  return fraction < 1 && Number(shown) === 100 ? ">99.9%" : `${shown}%`;
}

/** Return the difference of two fractions in percentage points, of the values that `formatPercent` displays. */
export function percentChange(before: number, now: number): number {
  return Math.round(10 * (Number(percentText(now)) - Number(percentText(before)))) / 10;
}

/** Return "1 unit", "2 units". */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatInteger(count)} ${count === 1 ? singular : plural}`;
}

export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Format the progress of a job, with its rate and the remaining time. */
export function formatProgress(progress: { done: number; total: number; rate: number; message?: string } | null, items: string): string {
  if (!progress?.total) return progress?.message || "starting…";
  const pace = formatPace(progress);
  return `${formatInteger(progress.done)} of ${formatInteger(progress.total)} ${items}${pace ? ` · ${pace}` : ""}`;
}

/** Format the rate of a job and the remaining time. */
export function formatPace({ done, total, rate }: { done: number; total: number; rate: number }): string {
  if (!(rate > 0)) return "";
  const left = done < total ? ` · ${formatDuration((total - done) / rate)} left` : "";
  return `${formatNumber(rate)} images/s${left}`;
}
