import { errorMessage } from "../kernel/errors.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu } from "../ui/export_menu.ts";
import { ClassChoice } from "./class_choice.ts";
import type { ClassPair } from "./class_scores.ts";
import { FILES, fileName } from "./files.ts";
import type { Point } from "./geometry.ts";
import { ImageChoice } from "./image_choice.ts";
import { describeUpload } from "./image_upload.ts";
import { createMapControls } from "./map_controls.ts";
import { cellCentre, type MapGrid, shownMap } from "./map_grid.ts";
import { Maps } from "./maps.ts";
import { MapsJob } from "./maps_job.ts";
import { createPatchControls } from "./patch_controls.ts";
import { type EditedView, type FeatureMapValues, PatchEditor } from "./patch_editor.ts";
import { createPredictions } from "./predictions.ts";
import { createResults } from "./results.ts";
import { Stage } from "./stage.ts";
import { OcclusionStore, type Scene } from "./store.ts";
import { createHints, headerContent } from "./summary.ts";
import { UnchangedMaps } from "./unchanged_maps.ts";
import { WhyTab } from "./why.ts";
import type { ClassScore, HelloReply, OcclusionFile, OcclusionState } from "./wire.ts";

/** One view of an OcclusionExplorer. */
class OcclusionExplorerView extends ExplorerView<OcclusionState, OcclusionStore> implements EditedView {
  /** The displayed scene; it is replaced when the next one is loaded. */
  scene: Scene | null = null;
  private readonly editor = new PatchEditor(this);
  private readonly maps: Maps;
  private readonly stage: Stage;
  private readonly job = new MapsJob(this.store, this.id, {
    changed: (grid) => this.mapsChanged(grid),
    failed: (message) => this.showError(message),
  });
  private readonly unchanged: UnchangedMaps;
  private readonly controls = createPatchControls({
    set: (patch) => this.set(patch),
    add: () => this.editor.add(null),
    remove: () => this.editor.remove(),
  });
  private readonly why = new WhyTab(this);
  private readonly predictions: ReturnType<typeof createPredictions>;
  private readonly mapControls = createMapControls({
    set: (patch) => this.set(patch),
    stop: () => void this.runAction(() => this.job.stop()),
    resume: () => {
      this.onUserAction();
      this.job.resume();
    },
  });
  private readonly images: ImageChoice;
  private readonly results: ReturnType<typeof createResults>;
  private readonly classes = new ClassChoice();
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
      placePatch: (point, event) => editor.placeAtCell(point, event),
      pick: (label, name) => this.pickClass("target", label, name),
    });
    this.predictions = createPredictions({
      id: this.id,
      compared: this.maps.compared.element,
      set: (patch) => this.set(patch),
      pick: (label, name) => this.pickClass("target", label, name),
      compare: (label, name) => this.pickClass("against", label, name),
      useBundledHead: () => void this.useBundledHead(),
      copy: (text) => this.copyText(text, "Copied the code."),
    });
    this.unchanged = new UnchangedMaps(store, this.job, this.id, {
      changed: () => this.job.grid && this.mapsChanged(this.job.grid),
      failed: (message) => this.showError(message),
      placePatch: (point, event) => editor.placeAtCell(point, event),
    });
    this.maps.element.append(this.unchanged.element);
    this.maps.compared.element.append(this.unchanged.compared.element);
    this.images = new ImageChoice({
      client: store.client,
      stage: this.stage,
      pick: (image) => this.set({ image }),
      uploaded: (image, name, ignored) => {
        this.set({ image });
        this.showStatus(describeUpload(name, ignored));
      },
    });
    this.results = createResults({
      id: this.id,
      store,
      set: (patch) => this.set(patch),
      maps: this.maps,
      why: this.why.element,
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
    for (const part of [this.job, this.unchanged, this.stage, this.predictions, this.maps, this.images, this.results]) part.close();
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
    if (!("tab" in patch)) this.images.clearError();
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

  markPatches(): void {
    for (const maps of [this.maps, this.unchanged]) maps.mark(this.state.patches);
  }

  showPrediction(classes: ClassScore[], pair: ClassPair, featureMap: FeatureMapValues): void {
    this.predictions.showPrediction(classes, pair, featureMap);
  }

  readMaps(point: Point | null, where: "stage" | "map"): void {
    const cell = this.maps.read(where === "map" || this.state.overlay > 0 ? point : null);
    const { grid } = this;
    this.stage.outline(cell !== null && grid ? cellCentre(grid, cell) : null, grid?.window ?? [1, 1]);
  }

  focusStage(): void {
    this.stage.element.focus({ preventScroll: true });
  }

  override focusMain(): void {
    this.focusStage();
  }

  protected override stateChanged(): void {
    this.editor.updateAll();
  }

  protected override onResume(): void {
    this.editor.updateAll(); // the patches may have changed
  }

  protected override isLoaded(next: OcclusionState): boolean {
    const { hello } = this;
    const request = (state: OcclusionState) => JSON.stringify(hello && this.classes.request(state, hello));
    return request(next) === request(this.state) && String(next.stride) === String(this.state.stride) && next.border === this.state.border;
  }

  protected override alertText(): string {
    return super.alertText() || (this.hello && this.store.scene(this, this.classes.request(this.state, this.hello)).error) || "";
  }

  protected override draw(): void {
    const { hello } = this.store;
    if (!hello) return;
    if (hello !== this.hello) this.overviewReceived(hello);
    const { state, job, stage } = this;
    this.drawScene(hello);
    const { quantity } = hello.overview;
    this.header?.update(headerContent(hello, this.scene));
    this.controls.update(state, stage.size, quantity, hello.colours);
    this.predictions.update(hello, this.scene, state);
    this.mapControls.update(state, job, stage.size);
    this.results.update(state, quantity, job.grid);
    this.images.update(state);
    this.root.dataset.tab = state.tab;
    if (state.tab === "why") this.why.update(hello, this.scene);
    this.maps.setStale(job.stale);
    this.maps.overlay(shownMap(state.map, quantity));
    stage.overlay(job.grid, state.overlay);
    this.root.dataset.outdated = String(this.editor.outdated || !this.store.client.available);
    this.root.dataset.ready = String(this.scene !== null);
    this.root.dataset.complete = String(Boolean(job.grid?.complete) && !job.stale);
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const { target } = event;
    if (!(target instanceof HTMLElement)) return false;
    if (target.matches("input:not([type=range], [type=checkbox]), select, textarea")) return false;
    return this.editor.key(event, target === this.stage.element); // arrow keys move the patch on the stage only
  }

  private createTools(): Node[] {
    const properties = { type: "button", class: "dwo-button", "data-testid": "other-image", onclick: () => this.openImages() };
    const menu = createExportMenu({ groups: FILES, save: (file) => void this.save(file), copy: this.copy });
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

  /** Handle a new overview: the classifier may have changed. */
  private overviewReceived(hello: HelloReply): void {
    if (this.hello?.overview.version !== hello.overview.version) this.clearStatus(this.classes.notice);
    this.hello = hello;
    const unknown = this.classes.unknown(this.state, hello);
    if (!Object.keys(unknown).length) return;
    this.state = { ...this.state, ...unknown }; // also in Python
    if (hello.classes) this.showStatus(this.classes.notice);
    this.scheduleSave(0);
  }

  /** Request the scene, the maps and the projections. */
  private drawScene(hello: HelloReply): void {
    const { value: scene } = this.store.scene(this, this.classes.request(this.state, hello));
    if (!scene) return;
    if (scene !== this.scene) this.showScene(scene, hello);
    const { window, stride, border } = this.state;
    for (const maps of [this.job, this.unchanged]) maps.update(hello.overview.version, scene.request, { window, stride, border });
    this.predictions.updateProjections(this.store.projections(this, scene.request), scene.request, hello.overview.index_ready);
  }

  private showScene(scene: Scene, hello: HelloReply): void {
    this.scene = scene;
    const { target } = scene.request;
    this.stage.show(scene.image, scene.fill);
    for (const maps of [this.maps, this.unchanged])
      maps.show(scene, target === null ? null : (hello.classes?.[target] ?? ""), hello.overview.quantity);
    this.predictions.update(hello, scene, this.state);
    this.editor.showUnoccluded();
    this.editor.updateAll();
  }

  private mapsChanged(grid: MapGrid): void {
    this.maps.unchanged = this.unchanged.draw(grid);
    this.maps.draw(grid, shownMap(this.state.map, this.hello?.overview.quantity ?? null));
    this.painted({ kind: "grid", done: grid.done, total: grid.total });
    this.requestDraw();
  }

  /** Set the target, or the class that it is compared with; null: the default of each image. */
  private pickClass(role: "target" | "against", label: number | null, name: string | null): void {
    this.predictions.clearSearch();
    this.set(this.classes.pick(role, label, name));
  }

  private openImages(): void {
    this.set({ tab: "images" });
    this.drawAll();
    this.images.focus();
  }

  private async useBundledHead(): Promise<void> {
    this.showStatus("Loading the classifier…");
    await this.runAction(async () => {
      const reply = await this.store.client.request<{ message: string }>("use_bundled_head", {}, { policy: "once", lane: "work" });
      this.showStatus(reply?.content.message ?? "");
    });
  }

  private async runAction(action: () => Promise<void>): Promise<void> {
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
