/** One of two models on a photograph: its scene, its predictions with the patches, and its maps. */
import type { ClassPair } from "../occlusion/class_scores.ts";
import type { Point } from "../occlusion/geometry.ts";
import type { MapGrid } from "../occlusion/map_grid.ts";
import { MapsJob } from "../occlusion/maps_job.ts";
import { type EditedView, PatchEditor } from "../occlusion/patch_editor.ts";
import type { OcclusionStore, Scene } from "../occlusion/store.ts";
import type { ClassScore, OcclusionRequest, OcclusionState } from "../occlusion/wire.ts";
import type { Painted } from "../ui/explorer_view.ts";
import type { Side } from "./wire.ts";

/** What a side uses of the view. */
export interface SideHost {
  /** The state in the pixels of a side's input. */
  stateOf(side: Side): OcclusionState;
  setPatches(patches: Point[]): void;
  set(patch: Partial<OcclusionState>): boolean;
  scheduleSave(): void;
  showStatus(text: string): void;
  showError(message: string): void;
  painted(info: Painted): void;
  onUserAction(): void;
  requestDraw(): void;
  /** The patches of the first side have moved. */
  drawPatches(active: number): void;
  markPatches(side: Side): void;
  showScores(side: Side, classes: ClassScore[], pair: ClassPair): void;
  readMaps(point: Point | null): void;
  focusStage(): void;
  sceneChanged(side: Side, scene: Scene): void;
  mapsChanged(): void;
}

export class SideView implements EditedView {
  /** The displayed scene; it is replaced when the next one is loaded. */
  scene: Scene | null = null;
  /** Why there is none. */
  error = "";
  /** Whether the scene of the state's request is on its way, or failed. */
  private outdated = false;
  readonly editor = new PatchEditor(this);
  readonly job: MapsJob;

  constructor(
    readonly side: Side,
    readonly store: OcclusionStore,
    id: string,
    private readonly host: SideHost,
  ) {
    const changed = () => host.mapsChanged();
    this.job = new MapsJob(store, `${id}-${side}`, { changed, failed: (message) => host.showError(message) });
  }

  close(): void {
    this.job.close();
    this.store.client.release(this.editor);
    this.store.client.release(this);
  }

  get state(): OcclusionState {
    return this.host.stateOf(this.side);
  }

  /** Only the editor of the first side changes its patches; those of the other one follow. */
  set state(next: OcclusionState) {
    if (this.side === "a") this.host.setPatches(next.patches);
  }

  /** Whether the maps are not those of the state. */
  get stale(): boolean {
    return this.outdated || this.job.stale;
  }

  get grid(): MapGrid | null {
    return this.job.grid;
  }

  get imageSize(): Point {
    return this.scene ? [this.scene.image.height, this.scene.image.width] : [224, 224];
  }

  /** Request the scene and the maps. */
  update(request: OcclusionRequest): void {
    const { value, error } = this.store.scene(this, request);
    this.error = error ?? "";
    this.outdated = !value;
    if (!value) return;
    if (value !== this.scene) {
      this.scene = value;
      this.host.sceneChanged(this.side, value);
      this.editor.showUnoccluded();
      this.editor.updateAll();
    }
    const { window, stride, border } = this.state;
    const version = this.store.hello?.overview.version ?? 0;
    this.job.update(version, value.request, { window, stride, border });
  }

  set(patch: Partial<OcclusionState>): boolean {
    return this.host.set(patch);
  }

  scheduleSave(): void {
    this.host.scheduleSave();
  }

  showStatus(text: string): void {
    this.host.showStatus(text);
  }

  showError(message: string): void {
    this.host.showError(message);
  }

  painted(info: Painted): void {
    this.host.painted({ ...info, side: this.side });
  }

  onUserAction(): void {
    this.host.onUserAction();
  }

  requestDraw(): void {
    this.host.requestDraw();
  }

  drawPatches(active: number): void {
    if (this.side === "a") this.host.drawPatches(active);
  }

  markPatches(): void {
    this.host.markPatches(this.side);
  }

  showPrediction(classes: ClassScore[], pair: ClassPair): void {
    this.host.showScores(this.side, classes, pair);
  }

  readMaps(point: Point | null): void {
    this.host.readMaps(point);
  }

  focusStage(): void {
    this.host.focusStage();
  }
}
