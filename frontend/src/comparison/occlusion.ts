import { defineWidget, type RenderContext } from "../kernel/model.ts";
import type { ClassPair } from "../occlusion/class_scores.ts";
import { type Point, snapToPixels } from "../occlusion/geometry.ts";
import { ImageBrowser } from "../occlusion/image_browser.ts";
import { createMapControls } from "../occlusion/map_controls.ts";
import { createPatchControls } from "../occlusion/patch_controls.ts";
import { Stage } from "../occlusion/stage.ts";
import type { Scene } from "../occlusion/store.ts";
import type { ClassScore, OcclusionRequest, OcclusionState } from "../occlusion/wire.ts";
import { h } from "../ui/dom.ts";
import { ExplorerView } from "../ui/explorer_view.ts";
import { createExportMenu, exportName } from "../ui/export_menu.ts";
import { keyHint } from "../ui/footer.ts";
import { createTabs } from "../ui/tabs.ts";
import { BothMaps, type SideMaps } from "./both_maps.ts";
import { createClassLists } from "./class_lists.ts";
import { BothOcclusionStore } from "./occlusion_store.ts";
import { type BothState, classOfName, plainName, scalePoint, scaleSize } from "./occlusion_wire.ts";
import { type SideHost, SideView } from "./side_view.ts";
import { headerContent, shortNames } from "./summary.ts";
import { type Both, SIDES, type Side } from "./wire.ts";

const FILES = [["Predictions and maps", [["maps.png", "PNG"] as const, ["maps.csv", "CSV"] as const]]] as const;
const SHARED = ["image", "fill", "window", "patches", "stride", "border"] as const;
const HINTS = [
  [["←", "↑", "↓", "→"], "move the patch"],
  [["Shift"], "by 8"],
  [["["], "smaller"],
  [["]"], "larger"],
  [["A"], "add"],
  [["Del"], "remove"],
] as const;

/** One view of two models on one photograph. */
class BothOcclusionView extends ExplorerView<BothState, BothOcclusionStore> implements SideHost {
  private readonly sides: Both<SideView>;
  private readonly stage: Stage;
  private readonly maps: BothMaps;
  private readonly lists = createClassLists({ pick: (side, name) => this.pickTarget(side, name) });
  private readonly patches = createPatchControls({
    set: (patch) => this.set(patch as Partial<BothState>),
    add: () => this.sides.a.editor.add(null),
    remove: () => this.sides.a.editor.remove(),
  });
  private readonly runs = createMapControls({
    set: (patch) => this.set(patch as Partial<BothState>),
    stop: () => void this.stop(),
    resume: () => this.resumeMaps(),
  });
  private readonly images: ImageBrowser;
  private readonly tabs: ReturnType<typeof createTabs<BothState["tab"]>>;

  constructor(context: RenderContext<BothState>, store: BothOcclusionStore) {
    super(context, store, "pair", "side-by-side-occlusion");
    this.sides = { a: new SideView("a", store.sides.a, this.id, this), b: new SideView("b", store.sides.b, this.id, this) };
    const { editor } = this.sides.a;
    this.stage = new Stage({
      press: (point, event) => editor.press(point, event),
      drag: (point, event) => editor.drag(point, event),
      predict: (point, event) => editor.predict(point, event),
      release: () => editor.release(),
      hover: (point) => this.readMaps(point),
    });
    this.maps = new BothMaps({
      hover: (side, point) => this.readMaps(point && this.toA(side, point)),
      placePatch: (side, point, event) => editor.placeAtCell(this.toA(side, point), event),
    });
    this.images = new ImageBrowser(store.sides.a.client, (image) => this.set({ image }));
    const panel = h("div", { class: "dwc-maps-panel" }, this.runs.element, this.maps.element);
    this.tabs = createTabs<BothState["tab"]>({
      id: this.id,
      label: "Maps and images",
      testid: "tabs",
      prefix: "tab",
      tabs: [
        ["maps", "Maps", "The score of the target by the position of the patch"],
        ["images", "Images", "Choose another photograph"],
      ],
      panels: { maps: panel, images: this.images.element },
      pick: (tab) => this.set({ tab }),
    });
    const left = h("section", { class: "dwo-pane dwo-left", "aria-label": "Image" }, this.stage.element, this.patches.element);
    const tabs = h("div", { class: "dwo-tabs" }, this.tabs.element);
    const right = h("section", { class: "dwo-pane dwo-right", "aria-label": "Maps" }, tabs, panel, this.images.element);
    const choose = h("button", { type: "button", class: "dwo-button", onclick: () => this.openImages() }, "Choose image…");
    const menu = createExportMenu({ groups: FILES, save: (file) => void this.save(file), copy: this.copy });
    this.mount({
      label: "One photograph, two models",
      className: "dwo",
      tools: [choose, menu],
      main: [h("div", { class: "dwx-main dwo-main dwc-occlusion" }, left, this.lists.element, right)],
      footer: [
        [h("span", { class: "dwx-hint" }, "Drag the patch; both models answer"), ...HINTS.map(([keys, text]) => keyHint([keys, text]))],
      ],
    });
  }

  override close(): void {
    for (const part of [this.sides.a, this.sides.b, this.stage, this.maps, this.images]) part.close();
    super.close();
  }

  override set(patch: Partial<BothState>): boolean {
    if (!super.set(patch)) return false;
    if ("window" in patch || "patches" in patch) this.sides.a.editor.changed();
    return true;
  }

  override focusMain(): void {
    this.focusStage();
  }

  // What the sides use

  stateOf(side: Side): OcclusionState {
    const { state } = this;
    const rest = { layer: null, unit: null, against: null, map: "probability", overlay: 0, tab: "maps" } as const;
    const own = { image: state.image, fill: state.fill, border: state.border, target: state[`target_${side}`], ...rest };
    const { window, stride, patches } = state;
    if (side === "a" || !this.sides.a.scene || !this.sides.b.scene) return { ...own, window, stride, patches };
    const [from, to] = [this.sides.a.imageSize, this.sides.b.imageSize];
    const scaled = scaleSize(window, from, to);
    return {
      ...own,
      window: scaled,
      stride: scaleSize(stride, from, to),
      patches: patches.map((patch) => snapToPixels(scalePoint(patch, from, to), scaled, to)),
    };
  }

  setPatches(patches: Point[]): void {
    this.state = { ...this.state, patches };
  }

  drawPatches(active: number): void {
    const { patches, window } = this.state;
    this.stage.draw({ patches, window, active });
    this.sides.b.editor.updateAll(); // it follows
  }

  markPatches(side: Side): void {
    this.maps.mark(side, this.stateOf(side).patches);
  }

  showScores(side: Side, classes: ClassScore[], pair: ClassPair): void {
    this.lists.show(side, classes, pair, this.store.sides[side].hello?.overview.quantity ?? null);
  }

  readMaps(point: Point | null): void {
    this.maps.read(point);
  }

  focusStage(): void {
    this.stage.element.focus({ preventScroll: true });
  }

  sceneChanged(side: Side, scene: Scene): void {
    this.maps.showScene(side, scene);
    if (side === "a") this.stage.show(scene.image, scene.fill);
  }

  mapsChanged(): void {
    this.requestDraw();
  }

  // The view

  protected override stateChanged(): void {
    for (const side of SIDES) this.sides[side].editor.updateAll();
  }

  protected override onResume(): void {
    for (const side of SIDES) this.sides[side].editor.updateAll();
  }

  protected override isLoaded(next: BothState): boolean {
    const keys = [...SHARED, "target_a", "target_b"] as const;
    return keys.every((key) => key === "patches" || String(next[key]) === String(this.state[key]));
  }

  protected override alertText(): string {
    const { a, b } = this.sides;
    return super.alertText() || this.store.sideProblem || (a.error && `A: ${a.error}`) || (b.error && `B: ${b.error}`) || "";
  }

  protected override draw(): void {
    const { store, state } = this;
    const hellos = { a: store.sides.a.hello, b: store.sides.b.hello };
    if (!store.hello || !hellos.a || !hellos.b) return;
    const names = shortNames(store.hello.names);
    const classes = { a: hellos.a.classes, b: hellos.b.classes };
    for (const side of SIDES) {
      const request = this.request(side, classes);
      if (request) this.sides[side].update(request);
    }
    const caption = this.sides.a.scene;
    const header = headerContent({ a: hellos.a.overview, b: hellos.b.overview }, names, undefined);
    this.header?.update({ ...header, title: caption ? [caption.caption, caption.label].filter(Boolean).join(" · ") : "" });
    this.patches.update(this.stateOf("a"), this.stage.size, hellos.a.overview.quantity, hellos.a.colours && hellos.b.colours);
    this.runs.update(this.stateOf("a"), this.slowerJob, this.stage.size);
    this.lists.update(names, { a: state.target_a, b: state.target_b }, classes);
    this.tabs.show(state.tab);
    if (state.tab === "images") this.images.open();
    this.images.select(state.image);
    this.drawMaps(classes);
    this.root.dataset.ready = String(SIDES.every((side) => this.sides[side].scene !== null));
    this.root.dataset.complete = String(SIDES.every((side) => this.sides[side].job.grid?.complete && !this.sides[side].stale));
  }

  protected override onKey(event: KeyboardEvent): boolean {
    const { target } = event;
    if (!(target instanceof HTMLElement) || target.matches("input:not([type=range], [type=checkbox]), select, textarea")) return false;
    return this.sides.a.editor.key(event, target === this.stage.element);
  }

  /** Return the request for a side's scene. That of B waits for the target of A, which may be the most probable class. */
  private request(side: Side, classes: Both<string[] | null>): OcclusionRequest | null {
    const { image, fill, target_a, target_b } = this.state;
    const rest = { image, layer: null, unit: null, fill, against: null };
    if (side === "a") return { ...rest, target: classOfName(target_a, classes.a) };
    if (target_b !== null) return { ...rest, target: classOfName(target_b, classes.b) };
    const first = this.targetName("a", classes);
    if (classes.a && first === null) return null;
    return { ...rest, target: classOfName(first, classes.b) };
  }

  /** Return the name of the class or output that a side's maps are of. */
  private targetName(side: Side, classes: Both<string[] | null>): string | null {
    const chosen = this.state[`target_${side}`];
    if (chosen !== null) return chosen;
    const { scene } = this.sides[side];
    const target = scene?.request.image === this.state.image ? scene.request.target : null;
    return target === null ? null : (classes[side]?.[target] ?? null);
  }

  /** Draw the maps that are there, under the names of their own classes: those of other classes may be on their way. */
  private drawMaps(classes: Both<string[] | null>): void {
    const mapsOf = (side: Side): SideMaps | undefined => {
      const { scene, job } = this.sides[side];
      const quantity = this.store.sides[side].hello?.overview.quantity ?? null;
      const target = scene?.request.target ?? null;
      const name = target === null ? "" : (classes[side]?.[target] ?? "");
      return scene && job.grid ? { grid: job.grid, scene, target: name, quantity } : undefined;
    };
    const [a, b] = [mapsOf("a"), mapsOf("b")];
    this.maps.draw({ ...(a ? { a } : {}), ...(b ? { b } : {}) }, this.reason(classes));
    this.maps.setStale(SIDES.some((side) => this.sides[side].stale));
  }

  /** Return why the maps cannot be subtracted: they are of different classes that nobody has chosen. Empty if they can. */
  private reason(classes: Both<string[] | null>): string {
    const [a, b] = [this.targetName("a", classes), this.targetName("b", classes)];
    const isChosen = this.state.target_a !== null && this.state.target_b !== null;
    if (a === null || b === null || isChosen || plainName(a) === plainName(b)) return "";
    return `B has no class “${a}”: its map is that of “${b}”, and there is no difference. To compare two classes, choose one of each model.`;
  }

  /** Set the target of a model. That of B follows that of A until it is chosen; a class that A has, too, is chosen for both. */
  private pickTarget(side: Side, name: string | null): void {
    if (side === "a") {
      this.set({ target_a: name, ...(name === null ? { target_b: null } : {}) });
      return;
    }
    const classes = this.store.sides.a.hello?.classes ?? null;
    const same = classOfName(name, classes);
    this.set({ target_b: name, ...(same === null ? {} : { target_a: classes?.[same] ?? null }) });
  }

  private toA(side: Side, point: Point): Point {
    return side === "a" ? point : scalePoint(point, this.sides.b.imageSize, this.sides.a.imageSize);
  }

  /** The job whose maps are less complete. */
  private get slowerJob(): SideView["job"] {
    const share = ({ job }: SideView) => (job.stale || !job.grid ? -1 : job.grid.done / job.grid.total);
    const { a, b } = this.sides;
    return share(a) <= share(b) ? a.job : b.job;
  }

  private async stop(): Promise<void> {
    await Promise.all(SIDES.map((side) => this.sides[side].job.stop()));
    this.requestDraw();
  }

  private resumeMaps(): void {
    this.onUserAction();
    for (const side of SIDES) if (this.sides[side].job.stopped) this.sides[side].job.resume();
    this.requestDraw();
  }

  private openImages(): void {
    this.set({ tab: "images" });
    this.drawAll();
    this.images.search.focus();
  }

  private async save(figure: "maps.png" | "maps.csv"): Promise<void> {
    const name = exportName([...(this.store.hello?.names ?? []), this.state.image], figure.split(".")[1] ?? "");
    await this.download("figure", { figure, state: this.state }, name);
  }
}

export default defineWidget<BothState, BothOcclusionStore>(
  (model) => new BothOcclusionStore(model),
  (context, store) => new BothOcclusionView(context, store),
);
