export interface Bar {
  from: number;
  to: number;
  count: number;
  /** From 0 to 1, on a square-root scale. */
  height: number;
}

/**
 * Return at most `limit` bars of a histogram. Adjacent bins are merged.
 * @param edges the edges of the bins, one more than `counts`
 */
export function histogramBars(counts: number[], edges: number[], limit = 40): Bar[] {
  const binsPerBar = Math.max(1, Math.ceil(counts.length / limit));
  const bars: Bar[] = [];
  for (let start = 0; start < counts.length; start += binsPerBar) {
    const end = Math.min(counts.length, start + binsPerBar);
    const count = counts.slice(start, end).reduce((sum, binCount) => sum + binCount, 0);
    bars.push({ from: edges[start] ?? Number.NaN, to: edges[end] ?? Number.NaN, count, height: 0 });
  }
  const highest = Math.sqrt(Math.max(1, ...bars.map((bar) => bar.count)));
  for (const bar of bars) bar.height = Math.sqrt(bar.count) / highest;
  return bars;
}
