import { blob } from "../kernel/buffers.ts";
import { download } from "../ui/export.ts";
import { PatchEditor } from "./patch_editor.ts";
import { occlusionFileName } from "./header.ts";
import { createOcclusionPage } from "./page.ts";
import { OcclusionScenes } from "./store.ts";
import { uploadedWords } from "./picture_upload.ts";
import { OcclusionWire } from "./wire.ts";
import { SILENCE } from "../kernel/queue.ts";
import { WidgetView, errorWords } from "../ui/explorer_view.ts";
import type { Scene } from "./store.ts";
import type { Grid } from "./map_grid.ts";

/** One view of an OcclusionExplorer: the state, and what the user does with it. */
class OcclusionView extends WidgetView {
  /** what the kernel said when it was greeted */
  facts: any;
  parting: string;
  aimed: { label: number | null; name: string | null };
  wire: OcclusionWire;
  editor: PatchEditor;
  page: ReturnType<typeof createOcclusionPage>;
  scenes: OcclusionScenes;

  constructor({ model, el }: { model: any; el: HTMLElement }) {
    super(model, "explorer");
    this.facts = null;
    this.parting = ""; // what was said of a target that the classifier does not have
    this.aimed = { label: null, name: null };
    this.wire = new OcclusionWire(model, this.listeners);
    this.editor = new PatchEditor(this);
    this.page = createOcclusionPage(this);
    this.scenes = new OcclusionScenes(this.wire, {
      scene: (scene) => this.showScene(scene),
      grid: (grid) => this.showGrid(grid),
      projections: (entries, buffers) => this.page.projections.show(entries, buffers, this.facts.index_ready),
      refused: (words) => this.page.projections.refuse(words),
      waits: () => this.page.projections.wait(),
      failed: (words) => this.fail(words),
    });
    const { root } = this.page;
    root.addEventListener("keydown", (event) => this.editor.key(event));
    this.open(root, el);
  }

  close() {
    for (const part of [this.scenes, this.page]) part.close();
    super.close();
    this.wire.close();
  }

  /** Ask who is there; the request greets the kernel, too, which then answers this view while cells run. */
  greet() {
    void this.readFacts();
  }

  async readFacts() {
    try {
      const answer = await this.wire.ask("hello");
      if (!answer) return;
      const other = this.overview?.version !== answer.content.overview.version;
      this.facts = answer.content;
      this.overview = answer.content.overview;
      this.trouble = "";
      if (other && this.words === this.parting) this.words = ""; // it was about the classifier before
      this.dropLostTarget();
      this.scenes.retry();
    } catch (error) {
      this.trouble = errorWords(error);
    }
    this.later();
  }

  /** A class that the classifier does not have is no target any more, for Python neither. */
  dropLostTarget() {
    const { target } = this.state;
    if (target === null || this.classes?.includes(target)) return;
    this.state = { ...this.state, target: null };
    if (this.classes) this.words = this.parting = `“${target}” is no class of the classifier that answers now.`;
    this.saveSoon(0);
  }

  silence(silent: boolean) {
    super.silence(silent);
    if (!silent) this.editor.follow(); // the patches may have been moved meanwhile
  }

  event({ event, message }: any) {
    if (event === "failed") this.fail(message);
    else if (event === "changed" || !this.overview) this.greet();
    else if (event === "occlusion") this.scenes.news();
  }

  get classes() {
    return (this.facts?.classes ?? null) as string[] | null;
  }

  /** The target's number; null for what the network says of the image. */
  get target() {
    const { target } = this.state;
    if (target === null || !this.classes) return null;
    if (this.aimed.name === target && this.classes[this.aimed.label ?? -1] === target) return this.aimed.label; // two classes may have one name
    const label = this.classes.indexOf(target);
    return label < 0 ? null : label;
  }

  /** Change the state, as the user asked. */
  set(patch: any) {
    this.moved("tab" in patch);
    this.state = { ...this.state, ...patch };
    if ("window" in patch || "patches" in patch) this.editor.moved(performance.now());
    this.later();
    this.saveSoon("tab" in patch || "map" in patch ? 0 : undefined); // which map is charted is the kernel's to know
  }

  /**
   * The user does something: what went wrong before is over, and a silent kernel is asked again.
   * @param elsewhere only another tab is looked at, where what went wrong with a picture is told, too
   */
  moved(elsewhere: boolean = false) {
    if (!elsewhere) this.page.said.forget();
    if (this.words || (this.trouble && this.trouble !== SILENCE)) {
      this.words = "";
      if (this.trouble !== SILENCE) this.trouble = "";
      this.later();
    }
    if (!this.overview || this.wire.silent) this.greet();
  }

  followState() {
    this.editor.follow();
  }

  /** Everything from the state. Cheap: each part changes only what is another than before. */
  refresh() {
    const { page, state, overview, facts, scenes } = this;
    page.complain(this.trouble);
    page.say(this.words);
    if (!overview) return;
    scenes.follow(state, overview.version, this.target);
    const { scene, grid, stale, stopped } = scenes;
    const classes = this.classes !== null;
    page.header.update(overview, scene);
    page.controls.update(state, page.stage.size, { classes, colours: facts.colours });
    page.classes.update({ names: facts.classes, offered: facts.shipped_head, state });
    page.unit.update(scene, facts.layers, state);
    page.run.update({ state, grid, stale, stopped, size: page.stage.size });
    page.results.update(state, classes, grid !== null);
    page.said.follow(state);
    page.images.mark(state.image);
    page.maps.dim(stale);
    page.maps.overlay(classes ? state.map : "activity");
    page.stage.overlay(grid, state.overlay);
    page.root.dataset.unanswered = String(this.editor.unanswered || this.wire.silent);
    page.root.dataset.ready = String(scene !== null);
    page.root.dataset.complete = String(Boolean(grid?.complete) && !stale);
  }

  showScene(scene: Scene) {
    const { page } = this;
    page.stage.show(scene.picture, scene.fill);
    page.maps.show(scene, scene.wanted.target === null ? null : (this.classes?.[scene.wanted.target] ?? ""));
    page.unit.update(scene, this.facts.layers, this.state);
    this.editor.showUnoccluded();
    this.editor.follow();
    this.refresh();
  }

  showGrid(grid: Grid) {
    this.page.maps.paint(grid, this.classes ? this.state.map : "activity");
    this.painted({ kind: "grid", done: grid.done, total: grid.total });
    this.later();
  }

  /** Another target; null for what the network says of each image. */
  aim(label: number | null, name: string | null) {
    this.aimed = { label, name };
    this.page.classes.forget();
    this.set({ target: name });
  }

  showImages() {
    this.set({ tab: "images" });
    this.refresh();
    this.page.images.search.focus();
    this.page.images.element.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param name of its file
   * @param others that were dropped with it
   */
  uploaded(image: string, name: string, others: number) {
    this.set({ image });
    this.say(uploadedWords(name, others));
    this.page.images.total = null; // it stands before the others from now on
  }

  async stopMaps() {
    await this.attempt(() => this.scenes.stop());
  }

  goOn() {
    this.moved();
    this.scenes.goOn();
    this.later();
  }

  /** The classifier that comes with the package. */
  async useShipped() {
    this.say("Bringing the classifier…");
    await this.attempt(async () => {
      const answer = await this.wire.ask("head");
      this.say(answer?.content.words ?? "");
    });
  }

  async attempt(action: () => Promise<void>) {
    try {
      await action();
    } catch (error) {
      this.words = "";
      this.fail(errorWords(error));
    }
    this.later();
  }

  save(file: string) {
    this.moved();
    const { scene, run } = this.scenes;
    if (!scene) return;
    const name = occlusionFileName(this.overview.model, scene.caption, file);
    this.say(`Making ${name}…`);
    void this.attempt(async () => {
      const answer = await this.wire.ask("file", { figure: file, wanted: scene.wanted, run, state: this.state });
      if (!answer) return;
      download(blob(answer.buffers[0], answer.content.mime), name);
      this.say(`Saved ${name}`);
    });
  }

  /** For benchmarks and tests. */
  painted(info: any) {
    if (info.kind !== "patch") performance.mark("deconvwidgets:painted", { detail: info });
    this.page.root.dispatchEvent(new CustomEvent("deconvwidgets:painted", { detail: info, bubbles: true }));
  }
}

function render(context: { model: any; el: HTMLElement }) {
  const view = new OcclusionView(context);
  return () => view.close();
}

export default { render };
