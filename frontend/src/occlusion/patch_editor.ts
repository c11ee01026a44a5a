import { floats } from "../kernel/buffers.ts";
import { nextFrameShown } from "../ui/dom.ts";
import { isForLab } from "../ui/keyboard.ts";
import { besideOf, boxAt, clamp, patchAt, patchKey, snapped } from "./geometry.ts";
import { cellCentre, cellOf } from "./map_grid.ts";
import { NewestOnly } from "../kernel/latest.ts";
import { errorWords } from "../ui/explorer_view.ts";
import type { WireAnswer } from "../kernel/client.ts";
import type { Point } from "./geometry.ts";
import type { OcclusionView } from "./explorer.ts";
import type { DefiniteWanted, PatchReply, Share } from "./wire.ts";

export type PatchQuestion = { wanted: DefiniteWanted; boxes: number[][]; since: number };

const MOST_PATCHES = 64; // as the kernel takes

/** The patches under the user's hands: drawn at once, the kernel answers behind. */
export class PatchEditor {
  view: OcclusionView;
  active: number;
  unanswered: boolean;
  answers: NewestOnly<PatchQuestion>;

  /** @param view the OcclusionView */
  constructor(view: OcclusionView) {
    this.view = view;
    this.active = 0; // which patch the keys move
    this.unanswered = false; // whether what is shown answers other patches, because of an error
    this.answers = new NewestOnly({
      ask: ({ wanted, boxes }: PatchQuestion) => view.wire.ask("patch", { wanted, boxes }),
      draw: (answer, question) => this.showAnswer(answer, question),
      failed: (error) => {
        this.unanswered = true;
        view.fail(errorWords(error));
      },
      same: (one, other) => one.wanted === other.wanted && String(one.boxes) === String(other.boxes),
    });
  }

  /** The state is another one. */
  follow() {
    this.active = clamp(this.active, 0, this.view.state.patches.length - 1);
    this.draw();
    this.ask(performance.now());
  }

  draw() {
    this.drawPatches();
    this.markMaps();
  }

  drawPatches() {
    const { patches, window } = this.view.state;
    this.view.page.stage.draw({ patches, window, active: this.active });
  }

  markMaps() {
    this.view.page.maps.mark(this.view.state.patches);
  }

  /**
   * The patches are others: they are drawn at once, the kernel answers behind.
   *
   * Under the mouse the maps' marks come with the numbers. In every frame they would cost it half: a browser without a GPU draws all anew
   * that lies between two changes, and the maps lie at the other end of the widget.
   * @param since when the user asked for it
   * @param dragged with the mouse on the image
   */
  moved(since: number, dragged: boolean = false) {
    if (dragged) this.drawPatches();
    else this.draw();
    this.ask(since);
    this.view.saveSoon();
    this.view.painted({ kind: "patch", ms: performance.now() - since });
  }

  /** @param patches others than those that are drawn */
  ask(since: number, patches: Point[] = this.view.state.patches) {
    const { scene } = this.view.scenes;
    if (!scene) return;
    const { window } = this.view.state;
    if (patches.length) this.answers.want({ wanted: scene.wanted, boxes: patches.map((centre: Point) => boxAt(centre, window)), since });
    else this.showUnoccluded();
  }

  showUnoccluded() {
    const { scene } = this.view.scenes;
    if (!scene) return;
    this.answers.drop();
    this.tell(scene.classes, scene.wanted.target, { activity: scene.activity, values: scene.values, shape: scene.map });
  }

  tell(classes: Share[], target: number | null, seen: { activity: number; values: Float32Array; shape: [number, number] }) {
    this.view.page.classes.answers.update(classes, target);
    this.view.page.unit.draw(seen);
    this.markMaps();
    if (!this.unanswered) return;
    this.unanswered = false;
    this.view.later();
  }

  showAnswer({ content, buffers }: WireAnswer, { wanted, since }: PatchQuestion) {
    if (wanted !== this.view.scenes.scene?.wanted || !this.view.state.patches.length) return;
    this.tell(content.classes, wanted.target, {
      activity: content.activity,
      values: floats(buffers[0]),
      shape: content.map,
    });
    void nextFrameShown().then(() => this.view.painted({ kind: "answer", ms: performance.now() - since }));
  }

  place(at: number, point: Point, since: number, dragged: boolean = false) {
    const before = this.view.state.patches[at];
    const patches = this.moving(at, point);
    const same = before && before[0] === patches[at][0] && before[1] === patches[at][1] && at === this.active;
    if (same) return;
    this.view.state = { ...this.view.state, patches };
    this.active = at;
    if (!before) this.view.later();
    this.moved(since, dragged);
  }

  /** The patches, one of them elsewhere. */
  moving(at: number, point: Point) {
    const patches = [...(this.view.state.patches as Point[])];
    patches[at] = snapped(point, this.view.state.window, this.view.page.stage.size);
    return patches;
  }

  press(point: Point, event: PointerEvent) {
    this.view.moved();
    const { patches, window } = this.view.state;
    if (event.shiftKey || !patches.length) this.add(point, event.timeStamp);
    else this.place(patchAt(patches, window, point), point, event.timeStamp);
  }

  /** Where the next frame will draw the patch: the kernel need not wait for that. */
  foresee(point: Point, event: PointerEvent) {
    if (this.view.state.patches.length) this.ask(event.timeStamp, this.moving(this.active, point));
  }

  move(point: Point, event: PointerEvent) {
    if (this.view.state.patches.length) this.place(this.active, point, event.timeStamp, true);
  }

  /** The patch is let go: the last answer may have come before, or never. */
  release() {
    this.markMaps();
    this.view.saveSoon();
  }

  /** On a map: the patch goes to the position of that cell. */
  put(point: Point, event: PointerEvent) {
    this.view.moved();
    const { grid } = this.view.scenes;
    this.view.page.stage.element.focus({ preventScroll: true });
    this.place(this.view.state.patches.length ? this.active : 0, grid ? cellCentre(grid, cellOf(grid, point)) : point, event.timeStamp);
  }

  /** A place is pointed at: the maps are read there. */
  point(point: Point | null, where: "stage" | "map") {
    const { stage, maps } = this.view.page;
    const { grid } = this.view.scenes;
    const cell = where === "map" || this.view.state.overlay > 0 ? maps.read(point) : maps.read(null);
    stage.hint(cell !== null && grid ? cellCentre(grid, cell) : null, grid?.window ?? [1, 1]);
  }

  /** @param point null: beside the active patch */
  add(point: Point | null, since: number = performance.now()) {
    const { patches, window } = this.view.state;
    const { size } = this.view.page.stage;
    if (patches.length >= MOST_PATCHES) this.view.say(`There are ${MOST_PATCHES} patches already: remove one first.`);
    else this.place(patches.length, point ?? besideOf(patches[this.active], window, size), since);
  }

  remove() {
    const patches = this.view.state.patches.filter((_: Point, at: number) => at !== this.active);
    this.active = clamp(this.active, 0, patches.length - 1);
    this.view.set({ patches });
  }

  key(event: KeyboardEvent) {
    if (isForLab(event)) return;
    event.stopPropagation(); // the notebook's own keys would delete cells
    const target = event.target as HTMLElement;
    const { element, size } = this.view.page.stage;
    const meant = patchKey(event, size);
    if (meant?.act === "leave" && target.matches("select, [type=range], [type=checkbox]")) target.blur(); // in a search, Escape empties it
    if (target.matches("input:not([type=range], [type=checkbox]), select, textarea")) return;
    if (!meant || (meant.act !== "size" && target !== element)) return; // other parts have arrows of their own
    event.preventDefault();
    this.view.moved();
    this.act(meant, event.timeStamp);
  }

  act({ act, step }: { act: string; step: Point }, since: number) {
    const { patches, window } = this.view.state;
    const { size, element } = this.view.page.stage;
    if (act === "leave") element.blur();
    else if (act === "add") this.add(null, since);
    else if (act === "size") this.view.set({ window: window.map((side: number, axis: number) => clamp(side + step[axis], 1, size[axis])) });
    else if (!patches.length) return;
    else if (act === "remove") this.remove();
    else this.place(this.active, [patches[this.active][0] + step[0], patches[this.active][1] + step[1]], since);
  }
}
