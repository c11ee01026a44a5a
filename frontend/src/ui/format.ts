/** Numbers and durations in words. */

/**
 * A value as captions show it: three significant digits, no exponent.
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size === 0 ? "0" : value.toFixed(2);
}

/** @param {number} count */
export function grouped(count) {
  return count.toLocaleString("en");
}

/** A share in hundredths, as it is shown: with one decimal where less than one is, or is missing. @param {number} share */
function hundredthsShown(share) {
  const hundredths = share * 100;
  return hundredths.toFixed((hundredths > 0 && hundredths < 1) || (hundredths > 99 && hundredths < 100) ? 1 : 0);
}

/** @param {number | null | undefined} share */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  const shown = hundredthsShown(share);
  if (share > 0 && Number(shown) === 0) return "<0.1 %";
  return share < 1 && Number(shown) === 100 ? ">99.9 %" : `${shown} %`;
}

/** What lies between two shares as `percent` shows them, in hundredths. @param {number} before @param {number} now */
export function percentChange(before, now) {
  return Math.round(10 * (Number(hundredthsShown(now)) - Number(hundredthsShown(before)))) / 10;
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * A long job's progress in words.
 * @param {{done: number, total: number, rate: number, message?: string} | null} progress
 * @param {string} [things] what is counted
 */
export function progressWords(progress, things = "views") {
  if (!progress || !progress.total) return progress?.message || "about to begin";
  const { done, total, rate } = progress;
  const words = [`${grouped(done)} of ${grouped(total)} ${things}`];
  if (rate > 0) words.push(`${number(rate)} images/s`);
  if (rate > 0 && done < total) words.push(`${duration((total - done) / rate)} left`);
  return words.join(" · ");
}
