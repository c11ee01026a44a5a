import { errorMessage } from "../kernel/errors.ts";
import type { Quantity } from "../kernel/wire.ts";
import type { Point } from "./geometry.ts";
import { createMapControls } from "./map_controls.ts";
import type { MapGrid } from "./map_grid.ts";
import { Maps } from "./maps.ts";
import { MapsJob } from "./maps_job.ts";
import type { OcclusionStore, Scene } from "./store.ts";
import { UnchangedMaps } from "./unchanged_maps.ts";
import type { MapName, OcclusionState } from "./wire.ts";

interface ComputedMapsOptions {
  store: OcclusionStore;
  /** The id of the view. */
  id: string;
  /** The canvas of the overlay on the image. */
  canvas: HTMLCanvasElement;
  set: (patch: Partial<OcclusionState>) => void;
  stopped: () => void;
  /** Called when the user resumes the job, before it goes on. */
  resumed: () => void;
  /** Return the name of the map on the overlay. */
  overlaid: () => MapName;
  hover: (point: Point | null) => void;
  placePatch: (point: Point, event: PointerEvent) => void;
  pick: (label: number, name: string) => void;
  /** Called after newly computed cells were drawn. */
  drawn: (grid: MapGrid) => void;
  failed: (message: string) => void;
}

/** The maps of a view, the jobs that compute them, and their controls: of the network as it is, and with all units on while some are off. */
export class ComputedMaps {
  readonly maps: Maps;
  readonly job: MapsJob;
  readonly controls: ReturnType<typeof createMapControls>;
  private readonly unchanged: UnchangedMaps;

  constructor(private readonly options: ComputedMapsOptions) {
    const { store, id, canvas, hover, placePatch, pick, failed } = options;
    this.maps = new Maps({ overlay: canvas, hover, placePatch, pick });
    this.job = new MapsJob(store, id, { changed: (grid) => this.draw(grid), failed });
    this.unchanged = new UnchangedMaps(store, this.job, id, { changed: () => this.grid && this.draw(this.grid), failed, placePatch });
    this.controls = createMapControls({ set: options.set, stop: () => void this.stop(), resume: () => this.resume() });
    this.maps.element.append(this.unchanged.element);
    this.maps.compared.element.append(this.unchanged.compared.element);
  }

  close(): void {
    for (const part of [this.job, this.unchanged, this.maps]) part.close();
  }

  get grid(): MapGrid | null {
    return this.job.grid;
  }

  /** Start the jobs if the request or the settings have changed. */
  update(...[version, request, settings]: Parameters<MapsJob["update"]>): void {
    for (const job of [this.job, this.unchanged]) job.update(version, request, settings);
  }

  /**
   * Show a scene.
   * @param target the name of the target class or output; null if the model predicts nothing
   */
  show(scene: Scene, target: string | null, quantity: Quantity | null): void {
    for (const maps of [this.maps, this.unchanged]) maps.show(scene, target, quantity);
  }

  mark(patches: Point[]): void {
    for (const maps of [this.maps, this.unchanged]) maps.mark(patches);
  }

  private async stop(): Promise<void> {
    try {
      await this.job.stop();
      this.options.stopped();
    } catch (error) {
      this.options.failed(errorMessage(error));
    }
  }

  private resume(): void {
    this.options.resumed();
    this.job.resume();
  }

  private draw(grid: MapGrid): void {
    this.maps.unchanged = this.unchanged.draw(grid);
    this.maps.draw(grid, this.options.overlaid());
    this.options.drawn(grid);
  }
}
