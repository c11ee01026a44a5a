import { errorMessage } from "../kernel/errors.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu } from "../ui/export_menu.ts";
import { FILES, fileName } from "./files.ts";
import type { Point } from "./geometry.ts";
import { ImageChoice } from "./image_choice.ts";
import { describeUpload } from "./image_upload.ts";
import { createMapControls } from "./map_controls.ts";
import { cellCentre, type MapGrid } from "./map_grid.ts";
import { Maps } from "./maps.ts";
import { MapsJob } from "./maps_job.ts";
import { createPatchControls } from "./patch_controls.ts";
import { type EditedView, type FeatureMapValues, PatchEditor } from "./patch_editor.ts";
import { createPredictions } from "./predictions.ts";
import { createResults } from "./results.ts";
import { Stage } from "./stage.ts";
import { OcclusionStore, type Scene } from "./store.ts";
import { createHints, headerContent } from "./summary.ts";
import { TargetChoice } from "./target_choice.ts";
import type { ClassProbability, HelloReply, MapName, OcclusionFile, OcclusionRequest, OcclusionState } from "./wire.ts";

/** One view of an OcclusionExplorer. */
class OcclusionExplorerView extends ExplorerView<OcclusionState, OcclusionStore> implements EditedView {
  /** The image that is shown; it stays until another one is there. */
  scene: Scene | null = null;
  private readonly editor = new PatchEditor(this);
  private readonly maps: Maps;
  private readonly stage: Stage;
  private readonly job = new MapsJob(this.store, this.id, {
    changed: (grid) => this.mapsChanged(grid),
    failed: (message) => this.showError(message),
  });
  private readonly controls = createPatchControls({
    set: (patch) => this.set(patch),
    add: () => this.editor.add(null),
    remove: () => this.editor.remove(),
  });
  private readonly predictions = createPredictions({
    id: this.id,
    set: (patch) => this.set(patch),
    pick: (label, name) => this.pickTarget(label, name),
    useBundledHead: () => void this.useBundledHead(),
    copy: (text) => this.copyText(text, "Copied the code."),
  });
  private readonly mapControls = createMapControls({
    set: (patch) => this.set(patch),
    stop: () => void this.attempt(() => this.job.stop()),
    resume: () => this.resumeMaps(),
  });
  private readonly images: ImageChoice;
  private readonly results: ReturnType<typeof createResults>;
  private readonly target = new TargetChoice();
  private hello: HelloReply | null = null;

  constructor(context: RenderContext<OcclusionState>, store: OcclusionStore) {
    super(context, store, "explorer", "occlusion-explorer");
    const { editor } = this;
    this.stage = new Stage({
      press: (point, event) => editor.press(point, event),
      drag: (point, event) => editor.drag(point, event),
      predict: (point, event) => editor.predict(point, event),
      release: () => editor.release(),
      hover: (point) => this.readMaps(point, "stage"),
    });
    this.maps = new Maps({
      overlay: this.stage.map,
      hover: (point) => this.readMaps(point, "map"),
      put: (point, event) => editor.placeOnMap(point, event),
      pick: (label, name) => this.pickTarget(label, name),
    });
    this.images = new ImageChoice({
      client: store.client,
      stage: this.stage,
      pick: (image) => this.set({ image }),
      uploaded: (image, name, others) => this.imageUploaded(image, name, others),
    });
    this.results = createResults({
      id: this.id,
      store,
      set: (patch) => this.set(patch),
      maps: this.maps,
      controls: this.mapControls,
      images: this.images,
    });
    this.mount({
      label: "Occlusion explorer",
      className: "dwo",
      tools: this.createTools(),
      main: [this.createMain()],
      footer: [createHints()],
    });
  }

  override close(): void {
    for (const part of [this.job, this.stage, this.predictions, this.maps, this.images, this.results]) part.close();
    this.store.client.release(this.editor);
    super.close();
  }

  get grid(): MapGrid | null {
    return this.job.grid;
  }

  get imageSize(): Point {
    return this.stage.size;
  }

  override onUserAction(patch: Partial<OcclusionState> = {}): void {
    if (!("tab" in patch)) this.images.clearError(); // another tab says it, too
    super.onUserAction();
  }

  override set(patch: Partial<OcclusionState>): boolean {
    if (!super.set(patch)) return false;
    if ("window" in patch || "patches" in patch) this.editor.changed();
    return true;
  }

  drawPatches(active: number): void {
    const { patches, window } = this.state;
    this.stage.draw({ patches, window, active });
  }

  markMaps(): void {
    this.maps.mark(this.state.patches);
  }

  showAnswer(classes: ClassProbability[], target: number | null, seen: FeatureMapValues): void {
    this.predictions.showAnswer(classes, target, seen);
  }

  readMaps(point: Point | null, where: "stage" | "map"): void {
    const cell = this.maps.read(where === "map" || this.state.overlay > 0 ? point : null);
    const { grid } = this;
    this.stage.outline(cell !== null && grid ? cellCentre(grid, cell) : null, grid?.window ?? [1, 1]);
  }

  focusStage(): void {
    this.stage.element.focus({ preventScroll: true });
  }

  protected override stateChanged(): void {
    this.editor.follow();
  }

  protected override onResume(): void {
    this.editor.follow(); // the patches may have been moved meanwhile
  }

  protected override isLoaded(next: OcclusionState): boolean {
    const { image, layer, unit, target, fill, stride, border } = this.state;
    const same = next.image === image && next.layer === layer && next.unit === unit && next.target === target && next.fill === fill;
    return same && String(next.stride) === String(stride) && next.border === border;
  }

  protected override alertText(): string {
    return super.alertText() || (this.hello && this.store.scene(this, this.request(this.hello)).error) || "";
  }

  protected override draw(): void {
    const { hello } = this.store;
    if (!hello) return;
    if (hello !== this.hello) this.overviewReceived(hello);
    const { state, job, stage } = this;
    this.drawScene(hello);
    const hasClasses = hello.classes !== null;
    const overlaid: MapName = hasClasses ? state.map : "activity";
    this.header?.update(headerContent(hello, this.scene));
    this.controls.update(state, stage.size, hasClasses, hello.colours);
    this.predictions.update(hello, this.scene, state);
    this.mapControls.update(state, job, stage.size);
    this.results.update(state, hasClasses, job.grid);
    this.images.update(state);
    this.maps.dim(job.stale);
    this.maps.overlay(overlaid);
    stage.overlay(job.grid, state.overlay);
    this.root.dataset.outdated = String(this.editor.outdated || !this.store.client.available);
    this.root.dataset.ready = String(this.scene !== null);
    this.root.dataset.complete = String(Boolean(job.grid?.complete) && !job.stale);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const { target } = event;
    if (!(target instanceof HTMLElement)) return false;
    if (target.matches("input:not([type=range], [type=checkbox]), select, textarea")) return false;
    return this.editor.key(event, target === this.stage.element); // other parts have arrow keys of their own
  }

  private createTools(): Node[] {
    const properties = { type: "button", class: "dwo-plain", "data-testid": "other-image", onclick: () => this.showImages() };
    const menu = createExportMenu({ files: FILES, save: (file) => void this.save(file), copyState: () => this.copyState() });
    return [h("button", properties, "Choose image…"), menu];
  }

  private createMain(): HTMLElement {
    const left = [this.stage.element, this.images.status, this.controls.element];
    return h(
      "div",
      { class: "dwx-main dwo-main" },
      h("section", { class: "dwo-pane dwo-left", "aria-label": "Image" }, ...left),
      this.predictions.element,
      this.results.element,
    );
  }

  /** The kernel told of itself, or of another classifier. */
  private overviewReceived(hello: HelloReply): void {
    if (this.hello?.overview.version !== hello.overview.version) this.clearStatus(this.target.notice); // it was about another classifier
    this.hello = hello;
    if (this.target.isKnown(this.state, hello)) return;
    // A class that the classifier does not have is no target any more, for Python neither.
    this.state = { ...this.state, target: null };
    if (hello.classes) this.showStatus(this.target.notice);
    this.scheduleSave(0);
  }

  /** Return what the state asks of the kernel. */
  private request({ classes }: HelloReply): OcclusionRequest {
    const { image, layer, unit, target, fill } = this.state;
    return { image, layer, unit, target: this.target.label(target, classes), fill };
  }

  /** Ask for the image, and what belongs to it. */
  private drawScene(hello: HelloReply): void {
    const { value: scene } = this.store.scene(this, this.request(hello));
    if (!scene) return;
    if (scene !== this.scene) this.showScene(scene, hello);
    const { window, stride, border } = this.state;
    this.job.follow(hello.overview.version, scene.request, { window, stride, border });
    this.predictions.updateProjections(this.store.projections(this, scene.request), hello.overview.index_ready);
  }

  private showScene(scene: Scene, hello: HelloReply): void {
    this.scene = scene;
    const { target } = scene.request;
    this.stage.show(scene.image, scene.fill);
    this.maps.show(scene, target === null ? null : (hello.classes?.[target] ?? ""));
    this.predictions.update(hello, scene, this.state);
    this.editor.showUnoccluded();
    this.editor.follow();
  }

  private mapsChanged(grid: MapGrid): void {
    this.maps.paint(grid, this.hello?.classes ? this.state.map : "activity");
    this.painted({ kind: "grid", done: grid.done, total: grid.total });
    this.requestDraw();
  }

  /** Choose the target; null for the predicted class of each image. */
  private pickTarget(label: number | null, name: string | null): void {
    this.target.pick(label, name);
    this.predictions.clearSearch();
    this.set({ target: name });
  }

  private showImages(): void {
    this.set({ tab: "images" });
    this.drawAll();
    this.images.focus();
  }

  private imageUploaded(image: string, name: string, others: number): void {
    this.set({ image });
    this.showStatus(describeUpload(name, others));
  }

  private resumeMaps(): void {
    this.onUserAction();
    this.job.resume();
  }

  private async useBundledHead(): Promise<void> {
    this.showStatus("Loading the classifier…");
    await this.attempt(async () => {
      const reply = await this.store.client.request<{ message: string }>("use_bundled_head", {}, { policy: "once", lane: "work" });
      this.showStatus(reply?.content.message ?? "");
    });
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.showStatus("");
      this.showError(errorMessage(error));
    }
    this.requestDraw();
  }

  private async save(figure: OcclusionFile): Promise<void> {
    const { scene, hello } = this;
    if (!scene || !hello) return;
    const name = fileName(hello.overview.model, scene.caption, figure);
    await this.download("file", { figure, request: scene.request, run: this.job.number, state: this.state }, name);
  }
}

export default defineWidget<OcclusionState, OcclusionStore>(
  (model) => new OcclusionStore(model),
  (context, store) => new OcclusionExplorerView(context, store),
);
