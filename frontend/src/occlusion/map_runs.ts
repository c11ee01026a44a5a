import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { type MapGrid, readGrid } from "./map_grid.ts";
import type { MapsReply } from "./wire.ts";

const REFRESH_INTERVAL = 250; // ms between two looks at a map that grows
const PRIORITY = 3;

interface Watcher {
  changed: (grid: MapGrid) => void;
  failed: (message: string) => void;
}

interface Run {
  grid: MapGrid | null;
  watchers: Set<Watcher>;
  refreshed: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The kernel's runs that views look at: their maps are fetched once for all views, a few times a second while they grow. */
export class MapRuns {
  private readonly runs = new Map<number, Run>();

  constructor(
    private readonly client: Pick<KernelClient, "request" | "available">,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Be told of a run's maps as they grow, beginning with what there is. Return the function that ends it. */
  watch(run: number, watcher: Watcher): () => void {
    const known = this.runs.get(run) ?? { grid: null, watchers: new Set(), refreshed: Number.NEGATIVE_INFINITY, timer: undefined };
    this.runs.set(run, known);
    known.watchers.add(watcher);
    if (known.grid) watcher.changed(known.grid);
    void this.fetch(run, known);
    return () => {
      known.watchers.delete(watcher);
      if (known.watchers.size) return;
      clearTimeout(known.timer);
      this.runs.delete(run);
    };
  }

  /** A run has something new: look soon. */
  refreshAll(): void {
    for (const [run, known] of this.runs) {
      if (known.timer || known.grid?.complete) continue;
      const wait = Math.max(0, REFRESH_INTERVAL - (this.clock() - known.refreshed));
      known.timer = setTimeout(() => {
        known.timer = undefined;
        void this.fetch(run, known);
      }, wait);
    }
  }

  /** Look at a run now. */
  refresh(run: number): void {
    const known = this.runs.get(run);
    if (known) void this.fetch(run, known);
  }

  close(): void {
    for (const { timer } of this.runs.values()) clearTimeout(timer);
    this.runs.clear();
  }

  private async fetch(run: number, known: Run): Promise<void> {
    if (known.grid?.complete || !this.client.available) return;
    known.refreshed = this.clock();
    try {
      const reply = await this.client.request<MapsReply>("maps", { run }, { key: `maps ${run}`, fresh: true, priority: PRIORITY });
      if (!reply?.content.done) return;
      known.grid = readGrid(reply.content, reply.buffers);
      for (const { changed } of [...known.watchers]) changed(known.grid);
    } catch (error) {
      if (error instanceof KernelUnavailable) return; // fetched when the kernel is back
      for (const { failed } of [...known.watchers]) failed(errorMessage(error));
    }
  }
}
