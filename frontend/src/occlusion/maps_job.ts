import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import type { MapGrid } from "./map_grid.ts";
import { type OcclusionStore, PRIORITY } from "./store.ts";
import type { MapSettings, ResolvedRequest } from "./wire.ts";

const SETTLE_DELAY = 350; // ms; a slider is still being dragged

interface Listener {
  changed: (grid: MapGrid) => void;
  failed: (message: string) => void;
}

/** The maps that one view shows: started when image or settings are others, stopped and resumed. */
export class MapsJob {
  /** What is shown; it may answer an earlier request. */
  grid: MapGrid | null = null;
  /** Whether `grid` answers an earlier request. */
  stale = true;
  stopped = false;
  private key = "";
  private question = "";
  private run: number | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private unwatch: () => void = () => {};

  /** @param view its name to the kernel: another view's maps are not stopped by this one's */
  constructor(
    private readonly store: OcclusionStore,
    private readonly view: string,
    private readonly listener: Listener,
  ) {}

  close(): void {
    clearTimeout(this.timer);
    this.unwatch();
    this.store.client.release(this);
  }

  /** Start the maps where they are not those of the request. */
  follow(version: number, request: ResolvedRequest, settings: MapSettings): void {
    const question = JSON.stringify([version, request]);
    const key = JSON.stringify([question, settings]);
    if (key === this.key || !this.store.client.available) return;
    const delay = question === this.question ? SETTLE_DELAY : 0;
    this.key = key;
    this.question = question;
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

  /** After a stop: the same request again, which the kernel goes on with. */
  resume(): void {
    this.stopped = false;
    this.key = this.question = "";
  }

  /** The number of the run whose maps are shown or awaited. */
  get number(): number | null {
    return this.run;
  }

  private async start(key: string, request: ResolvedRequest, settings: MapSettings): Promise<void> {
    try {
      const options = { owner: this, priority: PRIORITY.startMaps };
      const reply = await this.store.client.request<{ run: number }>("start_maps", { request, settings, view: this.view }, options);
      if (!reply || key !== this.key) return;
      this.watch(reply.content.run);
    } catch (error) {
      if (key !== this.key) return;
      if (error instanceof KernelUnavailable)
        this.key = ""; // started when the kernel is back
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
