import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { Lookup } from "../kernel/resource.ts";

const MAX_RUNS = 12;

interface RunCacheOptions<Results> {
  client: { available: boolean };
  /** Called when results or an error were received. */
  changed: () => void;
  /** Fetches the results of a run so far; null if a newer request superseded this one. */
  fetch: (run: number) => Promise<Results | null>;
  /** Returns the version of fetched results. */
  versionOf: (results: Results) => string;
  /** The minimum time in ms between two requests for a run that goes on; none by default. */
  interval?: number;
}

/** A cache of the results of runs, which change while a run is active. Earlier results of a run are returned until newer ones are loaded. */
export class RunCache<Results> {
  private readonly results = new Map<string, Results>(); // by run and version
  /** The last results of each run. */
  private readonly latest = new Map<number, Results>();
  private readonly errors = new Map<string, string>(); // by run and version
  /** Runs whose results are being fetched. A newer version is fetched afterwards, since short steps would supersede each request. */
  private readonly fetching = new Set<number>();
  private readonly fetchedAt = new Map<number, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: RunCacheOptions<Results>) {}

  /**
   * Return the newest loaded results of a run. If they are outdated, fetch newer ones.
   * @param version the state of the run
   * @param final whether it will not change any more
   */
  read(run: number, version: string, final = true): Lookup<Results> {
    const key = `${run}|${version}`;
    const error = this.errors.get(key);
    const isKnown = this.results.has(key) || this.fetching.has(run) || error !== undefined;
    if (!isKnown && this.options.client.available && !this.isTooEarly(run, final)) void this.fetch(run, key);
    return { value: this.results.get(key) ?? this.latest.get(run), error };
  }

  /** Clear the errors, so that failed requests are repeated. */
  retry(): void {
    this.errors.clear();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  /** Return whether the last request was made just before; call back when it is time for the next one. */
  private isTooEarly(run: number, final: boolean): boolean {
    const { interval = 0, changed } = this.options;
    const wait = (this.fetchedAt.get(run) ?? Number.NEGATIVE_INFINITY) + interval - performance.now();
    if (final || !(wait > 0)) return false;
    clearTimeout(this.timer);
    this.timer = setTimeout(changed, wait);
    return true;
  }

  private async fetch(run: number, key: string): Promise<void> {
    this.fetching.add(run);
    try {
      const results = await this.options.fetch(run);
      if (results !== null) this.add(run, key, results);
    } catch (error) {
      if (!(error instanceof KernelUnavailable)) this.errors.set(key, errorMessage(error)); // else fetched when the kernel is available again
    }
    this.fetchedAt.set(run, performance.now());
    this.fetching.delete(run);
    this.options.changed();
  }

  private add(run: number, key: string, results: Results): void {
    this.results.set(key, results);
    this.results.set(`${run}|${this.options.versionOf(results)}`, results); // the run may have progressed meanwhile
    this.latest.set(run, results);
    dropOldest(this.results, MAX_RUNS);
    dropOldest(this.latest, MAX_RUNS);
  }
}

function dropOldest<Key>(map: Map<Key, unknown>, limit: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= limit) return;
    map.delete(oldest);
  }
}
