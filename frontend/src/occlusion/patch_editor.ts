import { toFloat32Array } from "../kernel/buffers.ts";
import type { Reply } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { nextFrameDisplayed } from "../ui/dom.ts";
import type { ExplorerView } from "../ui/explorer_view.ts";
import { boxAt, clamp, type PatchAction, type Point, patchAction, patchAt, placeBeside, snapToPixels } from "./geometry.ts";
import { cellAt, cellCentre, type MapGrid } from "./map_grid.ts";
import { type OcclusionStore, PRIORITY, type Scene } from "./store.ts";
import type { ClassProbability, OcclusionState, PatchReply, PatchRequest } from "./wire.ts";

const MAX_PATCHES = 64; // as the kernel accepts

/** The values of the feature map, and their sum. */
export interface FeatureMapValues {
  activity: number;
  values: Float32Array;
  shape: Point;
}

/** What the editor needs of the view. */
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
  markMaps(): void;
  /** Show what the network says now. */
  showAnswer(classes: ClassProbability[], target: number | null, seen: FeatureMapValues): void;
  /** Read the maps at a point, and outline the window there. */
  readMaps(point: Point | null, where: "stage" | "map"): void;
  focusStage(): void;
}

/** The patches as the user edits them: they are drawn at once, and the kernel's answers follow. */
export class PatchEditor {
  /** Whether what is shown answers other patches, because of an error. */
  outdated = false;
  private active = 0;

  constructor(private readonly view: EditedView) {}

  /** Follow a state that was changed elsewhere. */
  follow(): void {
    this.active = clamp(this.active, 0, this.view.state.patches.length - 1);
    this.draw();
    this.ask(performance.now());
  }

  /** Draw and ask again: the window or the patches were changed by a control. */
  changed(): void {
    this.active = clamp(this.active, 0, this.view.state.patches.length - 1);
    this.moved(performance.now());
  }

  /** Show what the network says of the image without a patch. */
  showUnoccluded(): void {
    const { scene, store } = this.view;
    if (!scene) return;
    store.client.cancel("patch", this);
    this.tell(scene.classes, scene.request.target, { activity: scene.activity, values: scene.values, shape: scene.map_shape });
  }

  press(point: Point, event: PointerEvent): void {
    this.view.onUserAction();
    const { patches, window } = this.view.state;
    if (event.shiftKey || !patches.length) this.add(point, event.timeStamp);
    else this.place(patchAt(patches, window, point), point, event.timeStamp);
  }

  /** Ask for where the next frame will draw the patch. */
  predict(point: Point, event: PointerEvent): void {
    if (this.view.state.patches.length) this.ask(event.timeStamp, this.withPatch(this.active, point));
  }

  drag(point: Point, event: PointerEvent): void {
    if (this.view.state.patches.length) this.place(this.active, point, event.timeStamp, true);
  }

  /** The patch is let go: its last answer may have come before, or never. */
  release(): void {
    this.view.markMaps();
    this.view.scheduleSave();
  }

  /** Put the patch at the position of a map's cell. */
  placeOnMap(point: Point, event: PointerEvent): void {
    this.view.onUserAction();
    this.view.focusStage();
    const { grid } = this.view;
    this.place(this.view.state.patches.length ? this.active : 0, grid ? cellCentre(grid, cellAt(grid, point)) : point, event.timeStamp);
  }

  /** @param point null: beside the active patch */
  add(point: Point | null, since = performance.now()): void {
    const { patches, window } = this.view.state;
    if (patches.length >= MAX_PATCHES) this.view.showStatus(`At most ${MAX_PATCHES} patches: remove one first.`);
    else this.place(patches.length, point ?? placeBeside(patches[this.active], window, this.view.imageSize), since);
  }

  remove(): void {
    const patches = this.view.state.patches.filter((_, at) => at !== this.active);
    if (patches.length < this.view.state.patches.length) this.view.set({ patches });
  }

  /** Take a key. Return whether it was used. */
  key(event: KeyboardEvent, onStage: boolean): boolean {
    const action = patchAction(event, this.view.imageSize);
    if (!action || (action.act !== "resize" && !onStage)) return false;
    this.view.onUserAction();
    this.act(action, event.timeStamp);
    return true;
  }

  private act(action: PatchAction, since: number): void {
    const { state, imageSize } = this.view;
    const { patches, window } = state;
    if (action.act === "add") this.add(null, since);
    else if (action.act === "resize") {
      const side = (axis: 0 | 1) => clamp(window[axis] + action.step[axis], 1, imageSize[axis]);
      this.view.set({ window: [side(0), side(1)] });
    } else if (action.act === "remove") this.remove();
    else {
      const centre = patches[this.active];
      if (!centre) return;
      this.place(this.active, [centre[0] + action.step[0], centre[1] + action.step[1]], since);
      this.view.readMaps(this.view.state.patches[this.active] ?? null, "stage"); // as the mouse reads them
    }
  }

  private draw(): void {
    this.view.drawPatches(this.active);
    this.view.markMaps();
  }

  /**
   * The patches have moved: draw them, and ask the kernel.
   *
   * While a patch is dragged, its marks on the maps are drawn with each answer only: a browser without a GPU redraws all that lies
   * between two changes of a frame, and the maps are at the other end of the widget.
   * @param since when the user moved it
   */
  private moved(since: number, dragged = false): void {
    if (dragged) this.view.drawPatches(this.active);
    else this.draw();
    this.ask(since);
    this.view.scheduleSave();
    this.view.painted({ kind: "patch", ms: performance.now() - since });
  }

  private ask(since: number, patches = this.view.state.patches): void {
    const { scene, state, store } = this.view;
    if (!scene) return;
    if (!patches.length) {
      this.showUnoccluded();
      return;
    }
    const { request } = scene;
    const fields: PatchRequest = { request, boxes: patches.map((centre) => boxAt(centre, state.window)) };
    store.client.request<PatchReply>("patch", { ...fields }, { owner: this, priority: PRIORITY.patch, steady: true }).then(
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
    const seen = { activity: content.activity, values: toFloat32Array(buffers[0]), shape: content.map_shape };
    this.tell(content.classes, scene.request.target, seen);
    void nextFrameDisplayed().then(() => this.view.painted({ kind: "answer", ms: performance.now() - since }));
  }

  private tell(classes: ClassProbability[], target: number | null, seen: FeatureMapValues): void {
    this.view.showAnswer(classes, target, seen);
    this.view.markMaps();
    if (!this.outdated) return;
    this.outdated = false;
    this.view.requestDraw();
  }

  private place(at: number, point: Point, since: number, dragged = false): void {
    const before = this.view.state.patches[at];
    const patches = this.withPatch(at, point);
    const after = patches[at];
    if (before && before[0] === after?.[0] && before[1] === after[1] && at === this.active) return;
    this.view.state = { ...this.view.state, patches };
    this.active = at;
    if (!before) this.view.requestDraw();
    this.moved(since, dragged);
  }

  /** Return the patches with one of them elsewhere. */
  private withPatch(at: number, point: Point): Point[] {
    const patches = [...this.view.state.patches];
    patches[at] = snapToPixels(point, this.view.state.window, this.view.imageSize);
    return patches;
  }
}
