import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { MapGrid } from "./map_grid.ts";
import { type OcclusionStore, PRIORITY } from "./store.ts";
import type { MapSettings, ResolvedRequest } from "./wire.ts";

const SETTINGS_DELAY = 350; // ms after the last change of a setting, such as by dragging a slider

interface Listener {
  changed: (grid: MapGrid) => void;
  failed: (message: string) => void;
}

/** The job that computes the maps of a view. It is restarted when the request or the settings change, and can be stopped and resumed. */
export class MapsJob {
  /** The displayed maps. */
  grid: MapGrid | null = null;
  /** Whether `grid` belongs to an earlier request. */
  stale = true;
  stopped = false;
  private key = "";
  private requestKey = "";
  private run: number | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private unwatch: () => void = () => {};

  /**
   * @param view the id of the view; a new job cancels only jobs of the same view
   * @param unchanged whether the maps are those of the network with all units on
   */
  constructor(
    private readonly store: OcclusionStore,
    private readonly view: string,
    private readonly listener: Listener,
    private readonly unchanged = false,
  ) {}

  close(): void {
    clearTimeout(this.timer);
    this.unwatch();
    this.store.client.release(this);
  }

  /** Start a job if the request or the settings have changed. */
  update(version: number, request: ResolvedRequest, settings: MapSettings): void {
    const requestKey = JSON.stringify([version, request]);
    const key = JSON.stringify([requestKey, settings]);
    if (key === this.key || !this.store.client.available) return;
    const delay = requestKey === this.requestKey ? SETTINGS_DELAY : 0;
    this.key = key;
    this.requestKey = requestKey;
    this.stale = true;
    this.stopped = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.start(key, request, settings), delay);
  }

  async stop(): Promise<void> {
    const { run } = this;
    if (run === null) return;
    this.stopped = true;
    await this.store.client.request("stop_maps", { run }, { policy: "queue", priority: PRIORITY.stopMaps });
    this.store.runs.refresh(run);
  }

  /** Resume the job after `stop`: the next update sends the same request, and the kernel continues the run. */
  resume(): void {
    this.stopped = false;
    this.key = this.requestKey = "";
  }

  /** The number of the run whose maps are displayed or computed. */
  get number(): number | null {
    return this.run;
  }

  private async start(key: string, request: ResolvedRequest, settings: MapSettings): Promise<void> {
    try {
      const options = { owner: this, priority: PRIORITY.startMaps };
      const fields = { request, settings, view: this.view, ...(this.unchanged ? { unchanged: true } : {}) };
      const reply = await this.store.client.request<{ run: number }>("start_maps", fields, options);
      if (!reply || key !== this.key) return;
      this.watch(reply.content.run);
    } catch (error) {
      if (key !== this.key) return;
      if (error instanceof KernelUnavailable)
        this.key = ""; // started when the kernel is available again
      else {
        this.stopped = true;
        this.listener.failed(errorMessage(error));
      }
    }
  }

  private watch(run: number): void {
    this.unwatch();
    this.run = run;
    const changed = (grid: MapGrid) => {
      this.grid = grid;
      this.stale = false;
      if (grid.complete) this.stopped = false;
      this.listener.changed(grid);
    };
    this.unwatch = this.store.runs.watch(run, { changed, failed: this.listener.failed });
  }
}
