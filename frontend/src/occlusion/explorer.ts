import { errorMessage } from "../kernel/errors.ts";
import { defineWidget, type RenderContext } from "../kernel/model.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu } from "../ui/export_menu.ts";
import { describeUpload } from "../ui/image_upload.ts";
import { ClassChoice } from "./class_choice.ts";
import type { ClassPair } from "./class_scores.ts";
import { ComputedMaps } from "./computed_maps.ts";
import { FILES, fileName } from "./files.ts";
import type { Point } from "./geometry.ts";
import { ImageChoice } from "./image_choice.ts";
import { cellCentre, type MapGrid, shownMap } from "./map_grid.ts";
import { createPatchControls } from "./patch_controls.ts";
import { type EditedView, type FeatureMapValues, PatchEditor } from "./patch_editor.ts";
import { createPredictions } from "./predictions.ts";
import { createResults } from "./results.ts";
import { Stage } from "./stage.ts";
import { OcclusionStore, type Scene } from "./store.ts";
import { createHints, headerContent } from "./summary.ts";
import { WhyTab } from "./why.ts";
import type { ClassScore, HelloReply, OcclusionFile, OcclusionState } from "./wire.ts";

/** One view of an OcclusionExplorer. */
class OcclusionExplorerView extends ExplorerView<OcclusionState, OcclusionStore> implements EditedView {
  /** The displayed scene; it is replaced when the next one is loaded. */
  scene: Scene | null = null;
  private readonly editor = new PatchEditor(this);
  private readonly computed: ComputedMaps;
  private readonly stage: Stage;
  private readonly controls = createPatchControls({
    set: (patch) => this.set(patch),
    add: () => this.editor.add(null),
    remove: () => this.editor.remove(),
  });
  private readonly why = new WhyTab(this);
  private readonly predictions: ReturnType<typeof createPredictions>;
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
    this.computed = new ComputedMaps({
      id: this.id,
      store,
      canvas: this.stage.map,
      set: (patch) => this.set(patch),
      stopped: () => this.requestDraw(),
      resumed: () => this.onUserAction(),
      overlaid: () => shownMap(this.state.map, this.hello?.overview.quantity ?? null),
      hover: (point) => this.readMaps(point, "map"),
      placePatch: (point, event) => editor.placeAtCell(point, event),
      pick: (label, name) => this.pickClass("target", label, name),
      drawn: (grid) => this.mapsDrawn(grid),
      failed: (message) => this.showError(message),
    });
    const { maps } = this.computed;
    this.predictions = createPredictions({
      id: this.id,
      compared: maps.compared.element,
      set: (patch) => this.set(patch),
      pick: (label, name) => this.pickClass("target", label, name),
      compare: (label, name) => this.pickClass("against", label, name),
      useBundledHead: () => void this.useBundledHead(),
      copy: (text) => this.copyText(text, "Copied the code."),
    });
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
      maps,
      why: this.why.element,
      controls: this.computed.controls,
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
    for (const part of [this.computed, this.stage, this.predictions, this.images, this.results]) part.close();
    this.store.client.release(this.editor);
    super.close();
  }

  get grid(): MapGrid | null {
    return this.computed.grid;
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
    this.computed.mark(this.state.patches);
  }

  showPrediction(classes: ClassScore[], pair: ClassPair, featureMap: FeatureMapValues): void {
    this.predictions.showPrediction(classes, pair, featureMap);
  }

  readMaps(point: Point | null, where: "stage" | "map"): void {
    const cell = this.computed.maps.read(where === "map" || this.state.overlay > 0 ? point : null);
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
    const { state, stage } = this;
    const { job, maps } = this.computed;
    this.drawScene(hello);
    const { quantity } = hello.overview;
    this.header?.update(headerContent(hello, this.scene));
    this.controls.update(state, stage.size, quantity, hello.colours);
    this.predictions.update(hello, this.scene, state);
    this.computed.controls.update(state, job, stage.size);
    this.results.update(state, quantity, job.grid);
    this.images.update(state);
    this.root.dataset.tab = state.tab;
    if (state.tab === "why") this.why.update(hello, this.scene);
    maps.setStale(job.stale);
    maps.overlay(shownMap(state.map, quantity));
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
      { class: "dwo-main" },
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
    this.computed.update(hello.overview.version, scene.request, { window, stride, border });
    this.predictions.updateProjections(this.store.projections(this, scene.request), scene.request, hello.overview.index_ready);
  }

  private showScene(scene: Scene, hello: HelloReply): void {
    this.scene = scene;
    const { target } = scene.request;
    this.stage.show(scene.image, scene.fill);
    this.computed.show(scene, target === null ? null : (hello.classes?.[target] ?? ""), hello.overview.quantity);
    this.predictions.update(hello, scene, this.state);
    this.editor.showUnoccluded();
    this.editor.updateAll();
  }

  private mapsDrawn(grid: MapGrid): void {
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
    try {
      const reply = await this.store.client.request<{ message: string }>("use_bundled_head", {}, { policy: "once", lane: "work" });
      this.showStatus(reply?.content.message ?? "");
    } catch (error) {
      this.showStatus("");
      this.showError(errorMessage(error));
    }
  }

  private async save(figure: OcclusionFile): Promise<void> {
    const { scene, hello } = this;
    if (!scene || !hello) return;
    const name = fileName(hello.overview.model, scene.caption, figure);
    await this.download("file", { figure, request: scene.request, run: this.computed.job.number, state: this.state }, name);
  }
}

export default defineWidget<OcclusionState, OcclusionStore>(
  (model) => new OcclusionStore(model),
  (context, store) => new OcclusionExplorerView(context, store),
);
