/** Numbers and durations as text. */

/** Return three significant digits, without an exponent. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size === 0 ? "0" : value.toFixed(2);
}

/** Return an integer with thousands separated. */
export function formatInteger(count: number): string {
  return count.toLocaleString("en");
}

/** Return a share in percent, with one decimal near 0% and 100%. */
function percentText(share: number): string {
  const value = share * 100;
  return value.toFixed((value > 0 && value < 1) || (value > 99 && value < 100) ? 1 : 0);
}

export function formatPercent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  const shown = percentText(share);
  if (share > 0 && Number(shown) === 0) return "<0.1%";
  return share < 1 && Number(shown) === 100 ? ">99.9%" : `${shown}%`;
}

/** Return the difference of two shares in percentage points, as `formatPercent` shows them. */
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

/** Return how far a long job is, with the rate and the time left. */
export function formatProgress(progress: { done: number; total: number; rate: number; message?: string } | null, items: string): string {
  if (!progress?.total) return progress?.message || "starting…";
  const { done, total, rate } = progress;
  const parts = [`${formatInteger(done)} of ${formatInteger(total)} ${items}`];
  if (rate > 0) parts.push(`${formatNumber(rate)} images/s`);
  if (rate > 0 && done < total) parts.push(`${formatDuration((total - done) / rate)} left`);
  return parts.join(" · ");
}
