export interface Bar {
  from: number;
  to: number;
  count: number;
  /** From 0 to 1, on a square-root scale. */
  height: number;
}

/**
 * Return a histogram's bars, at most `limit` of them: neighbouring bins are added together.
 * @param edges one more than counts
 */
export function histogramBars(counts: number[], edges: number[], limit = 40): Bar[] {
  const together = Math.max(1, Math.ceil(counts.length / limit));
  const bars: Bar[] = [];
  for (let at = 0; at < counts.length; at += together) {
    const end = Math.min(counts.length, at + together);
    const count = counts.slice(at, end).reduce((sum, one) => sum + one, 0);
    bars.push({ from: edges[at] ?? Number.NaN, to: edges[end] ?? Number.NaN, count, height: 0 });
  }
  const highest = Math.sqrt(Math.max(1, ...bars.map((bar) => bar.count)));
  for (const bar of bars) bar.height = Math.sqrt(bar.count) / highest;
  return bars;
}
