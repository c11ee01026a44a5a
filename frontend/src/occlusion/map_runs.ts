import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { type MapGrid, readGrid } from "./map_grid.ts";
import type { MapsReply } from "./wire.ts";

const REFRESH_INTERVAL = 250; // ms between two requests for incomplete maps
const PRIORITY = 3;

interface Watcher {
  changed: (grid: MapGrid) => void;
  failed: (message: string) => void;
}

interface Run {
  grid: MapGrid | null;
  watchers: Set<Watcher>;
  lastRefresh: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The runs that views watch. Their maps are fetched once for all views, a few times per second until they are complete. */
export class MapRuns {
  private readonly runs = new Map<number, Run>();

  constructor(
    private readonly client: Pick<KernelClient, "request" | "available">,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Register callbacks for the maps of a run; they are called at once if maps are loaded. Return a function that removes them. */
  watch(run: number, watcher: Watcher): () => void {
    const entry = this.runs.get(run) ?? { grid: null, watchers: new Set(), lastRefresh: Number.NEGATIVE_INFINITY, timer: undefined };
    this.runs.set(run, entry);
    entry.watchers.add(watcher);
    if (entry.grid) watcher.changed(entry.grid);
    void this.fetch(run, entry);
    return () => {
      entry.watchers.delete(watcher);
      if (entry.watchers.size) return;
      clearTimeout(entry.timer);
      this.runs.delete(run);
    };
  }

  /** Schedule requests for all incomplete maps. */
  refreshAll(): void {
    for (const [run, entry] of this.runs) {
      if (entry.timer || entry.grid?.complete) continue;
      const wait = Math.max(0, REFRESH_INTERVAL - (this.clock() - entry.lastRefresh));
      entry.timer = setTimeout(() => {
        entry.timer = undefined;
        void this.fetch(run, entry);
      }, wait);
    }
  }

  /** Request the maps of a run immediately. */
  refresh(run: number): void {
    const entry = this.runs.get(run);
    if (entry) void this.fetch(run, entry);
  }

  close(): void {
    for (const { timer } of this.runs.values()) clearTimeout(timer);
    this.runs.clear();
  }

  private async fetch(run: number, entry: Run): Promise<void> {
    if (entry.grid?.complete || !this.client.available) return;
    entry.lastRefresh = this.clock();
    try {
      const reply = await this.client.request<MapsReply>("maps", { run }, { key: `maps ${run}`, fresh: true, priority: PRIORITY });
      if (!reply?.content.done) return;
      entry.grid = readGrid(reply.content, reply.buffers);
      for (const { changed } of [...entry.watchers]) changed(entry.grid);
    } catch (error) {
      if (error instanceof KernelUnavailable) return; // fetched when the kernel is available again
      for (const { failed } of [...entry.watchers]) failed(errorMessage(error));
    }
  }
}
