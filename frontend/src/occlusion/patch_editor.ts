import { toFloat32Array } from "../kernel/buffers.ts";
import type { Reply } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { nextFrameDisplayed } from "../ui/dom.ts";
import type { ExplorerView } from "../ui/explorer_view.ts";
import type { ClassPair } from "./class_scores.ts";
import { boxAt, clamp, type PatchAction, type Point, patchAction, patchAt, positionBeside, snapToPixels } from "./geometry.ts";
import { cellAt, cellCentre, type MapGrid } from "./map_grid.ts";
import { type OcclusionStore, PRIORITY, type Scene } from "./store.ts";
import type { ClassScore, OcclusionState, PatchReply, PatchRequest } from "./wire.ts";

const MAX_PATCHES = 64; // limit of the kernel

/** The values of the feature map, and their sum. */
export interface FeatureMapValues {
  activity: number;
  values: Float32Array;
  shape: Point;
}

/** The interface of the view that the editor uses. */
export interface EditedView
  extends Pick<
    ExplorerView<OcclusionState, OcclusionStore>,
    "state" | "store" | "scheduleSave" | "showStatus" | "painted" | "onUserAction" | "requestDraw"
  > {
  readonly scene: Scene | null;
  readonly grid: MapGrid | null;
  readonly imageSize: Point;
  set(patch: Partial<OcclusionState>): boolean;
  showError(message: string): void;
  /** Draw the patches over the image. */
  drawPatches(active: number): void;
  /** Mark the patches on the maps. */
  markPatches(): void;
  /** Show the class probabilities and the feature map. */
  showPrediction(classes: ClassScore[], pair: ClassPair, featureMap: FeatureMapValues): void;
  /** Show the values of the maps at a point, and outline the window. */
  readMaps(point: Point | null, where: "stage" | "map"): void;
  focusStage(): void;
}

/** The editor of the patches. Patches are drawn immediately; the predictions are requested from the kernel. */
export class PatchEditor {
  /** Whether the displayed predictions are outdated because a request failed. */
  outdated = false;
  private active = 0;
  private pending: { scene: Scene; boxes: string } | null = null;

  constructor(private readonly view: EditedView) {}

  /** Draw and request everything after the state was changed elsewhere. */
  updateAll(): void {
    this.active = clamp(this.active, 0, this.view.state.patches.length - 1);
    this.draw();
    this.requestPrediction(performance.now());
  }

  /** Call after a control has changed the window or the patches. */
  changed(): void {
    this.active = clamp(this.active, 0, this.view.state.patches.length - 1);
    this.moved(performance.now());
  }

  /** Show the predictions for the image without patches. */
  showUnoccluded(): void {
    const { scene, store } = this.view;
    if (!scene) return;
    store.client.cancel("patch", this);
    this.showPredictions(scene.classes, scene.request, { activity: scene.activity, values: scene.values, shape: scene.map_shape });
  }

  press(point: Point, event: PointerEvent): void {
    this.view.onUserAction();
    const { patches, window } = this.view.state;
    if (event.shiftKey || !patches.length) this.add(point, event.timeStamp);
    else this.movePatch(patchAt(patches, window, point), point, event.timeStamp);
  }

  /** Request the prediction for the position that the next frame will draw. */
  predict(point: Point, event: PointerEvent): void {
    if (this.view.state.patches.length) this.requestPrediction(event.timeStamp, this.withPatch(this.active, point));
  }

  drag(point: Point, event: PointerEvent): void {
    if (this.view.state.patches.length) this.movePatch(this.active, point, event.timeStamp, true);
  }

  /** Call at the end of a drag: save the state, and mark the patches, since the last reply may be missing. */
  release(): void {
    this.view.markPatches();
    this.view.scheduleSave();
  }

  /** Move the patch to the cell of a map. */
  placeAtCell(point: Point, event: PointerEvent): void {
    this.view.onUserAction();
    this.view.focusStage();
    const { grid } = this.view;
    this.movePatch(this.view.state.patches.length ? this.active : 0, grid ? cellCentre(grid, cellAt(grid, point)) : point, event.timeStamp);
  }

  /** Add a patch at a point; null: beside the active patch. */
  add(point: Point | null, since = performance.now()): void {
    const { patches, window } = this.view.state;
    if (patches.length >= MAX_PATCHES) this.view.showStatus(`The maximum number of patches is ${MAX_PATCHES}. Remove a patch first.`);
    else this.movePatch(patches.length, point ?? positionBeside(patches[this.active], window, this.view.imageSize), since);
  }

  remove(): void {
    const patches = this.view.state.patches.filter((_, index) => index !== this.active);
    if (patches.length < this.view.state.patches.length) this.view.set({ patches });
  }

  /** Handle a key. Return whether it was handled. */
  key(event: KeyboardEvent, onStage: boolean): boolean {
    const action = patchAction(event, this.view.imageSize);
    if (!action || (action.type !== "resize" && !onStage)) return false;
    this.view.onUserAction();
    this.perform(action, event.timeStamp);
    return true;
  }

  private perform(action: PatchAction, since: number): void {
    const { state, imageSize } = this.view;
    const { patches, window } = state;
    if (action.type === "add") this.add(null, since);
    else if (action.type === "resize") {
      const side = (axis: 0 | 1) => clamp(window[axis] + action.step[axis], 1, imageSize[axis]);
      this.view.set({ window: [side(0), side(1)] });
    } else if (action.type === "remove") this.remove();
    else {
      const centre = patches[this.active];
      if (!centre) return;
      this.movePatch(this.active, [centre[0] + action.step[0], centre[1] + action.step[1]], since);
      this.view.readMaps(this.view.state.patches[this.active] ?? null, "stage");
    }
  }

  private draw(): void {
    this.view.drawPatches(this.active);
    this.view.markPatches();
  }

  /**
   * Call after patches have moved: draw them, and request the prediction.
   *
   * During a drag, the marks on the maps are drawn with each reply only: without a GPU, the browser redraws the whole area between the
   * changed parts of a frame, which here spans the widget.
   * @param since the time stamp of the user action
   */
  private moved(since: number, dragged = false): void {
    if (dragged) this.view.drawPatches(this.active);
    else this.draw();
    this.requestPrediction(since);
    this.view.scheduleSave();
    this.view.painted({ kind: "patch", ms: performance.now() - since });
  }

  private requestPrediction(since: number, patches = this.view.state.patches): void {
    const { scene, state, store } = this.view;
    if (!scene) return;
    if (!patches.length) {
      this.showUnoccluded();
      return;
    }
    const { request } = scene;
    const fields: PatchRequest = { request, boxes: patches.map((centre) => boxAt(centre, state.window)) };
    const pending = { scene, boxes: String(fields.boxes) };
    if (this.pending?.scene === scene && this.pending.boxes === pending.boxes) return; // requested by `predict`, before it is drawn
    this.pending = pending;
    store.client
      .request<PatchReply>("patch", { ...fields }, { owner: this, priority: PRIORITY.patch, steady: true })
      .finally(() => {
        if (this.pending === pending) this.pending = null;
      })
      .then(
        (reply) => reply && this.showReply(reply, scene, since),
        (error) => this.failed(error),
      );
  }

  private failed(error: unknown): void {
    this.outdated = true;
    if (error instanceof KernelUnavailable) this.view.requestDraw();
    else this.view.showError(errorMessage(error));
  }

  private showReply({ content, buffers }: Reply<PatchReply>, scene: Scene, since: number): void {
    if (scene !== this.view.scene || !this.view.state.patches.length) return;
    const featureMap = { activity: content.activity, values: toFloat32Array(buffers[0]), shape: content.map_shape };
    this.showPredictions(content.classes, scene.request, featureMap);
    void nextFrameDisplayed().then(() => this.view.painted({ kind: "answer", ms: performance.now() - since }));
  }

  private showPredictions(classes: ClassScore[], pair: ClassPair, featureMap: FeatureMapValues): void {
    this.view.showPrediction(classes, pair, featureMap);
    this.view.markPatches();
    if (!this.outdated) return;
    this.outdated = false;
    this.view.requestDraw();
  }

  private movePatch(index: number, point: Point, since: number, dragged = false): void {
    const previous = this.view.state.patches[index];
    const patches = this.withPatch(index, point);
    const next = patches[index];
    if (previous && previous[0] === next?.[0] && previous[1] === next[1] && index === this.active) return;
    this.view.state = { ...this.view.state, patches };
    this.active = index;
    if (!previous) this.view.requestDraw();
    this.moved(since, dragged);
  }

  /** Return the patches with one of them moved to a point. */
  private withPatch(index: number, point: Point): Point[] {
    const patches = [...this.view.state.patches];
    patches[index] = snapToPixels(point, this.view.state.window, this.view.imageSize);
    return patches;
  }
}
