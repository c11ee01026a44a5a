/** Numbers and durations in words. */

/** A value as captions show it: three significant digits, no exponent. */
export function number(value: number | null | undefined) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size === 0 ? "0" : value.toFixed(2);
}

export function grouped(count: number) {
  return count.toLocaleString("en");
}

/** A share in hundredths, as it is shown: with one decimal where less than one is, or is missing. */
function hundredthsShown(share: number) {
  const hundredths = share * 100;
  return hundredths.toFixed((hundredths > 0 && hundredths < 1) || (hundredths > 99 && hundredths < 100) ? 1 : 0);
}

export function percent(share: number | null | undefined) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  const shown = hundredthsShown(share);
  if (share > 0 && Number(shown) === 0) return "<0.1 %";
  return share < 1 && Number(shown) === 100 ? ">99.9 %" : `${shown} %`;
}

/** What lies between two shares as `percent` shows them, in hundredths. */
export function percentChange(before: number, now: number) {
  return Math.round(10 * (Number(hundredthsShown(now)) - Number(hundredthsShown(before)))) / 10;
}

export function counted(count: number, one: string, many: string = `${one}s`) {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

export function duration(seconds: number) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * A long job's progress in words.
 * @param things what is counted
 */
export function progressWords(progress: { done: number; total: number; rate: number; message?: string } | null, things: string = "views") {
  if (!progress || !progress.total) return progress?.message || "about to begin";
  const { done, total, rate } = progress;
  const words = [`${grouped(done)} of ${grouped(total)} ${things}`];
  if (rate > 0) words.push(`${number(rate)} images/s`);
  if (rate > 0 && done < total) words.push(`${duration((total - done) / rate)} left`);
  return words.join(" · ");
}
