import { h, setText } from "../ui/dom.ts";
import { number, percent } from "../ui/format.ts";
import { paintClasses, paintValues } from "../ui/colormap.ts";
import { cellOf, legendOf, rangeOf } from "./map_grid.ts";
import { MapPicture } from "../ui/heatmap.ts";
import type { Grid } from "./map_grid.ts";
import type { Point } from "./geometry.ts";
import type { Scene } from "./store.ts";

const LEGEND_ROWS = 9;
const VALUE_MAPS: ("probability" | "activity")[] = ["probability", "activity"];

/** The maps of the paper's figure 7: activity (b), probability of the target (d), most probable class (e) with its legend. */
export class Maps {
  over: HTMLCanvasElement;
  pick: (label: number, name: string) => void;
  grid: Grid | null;
  only: number | null;
  overlaid: string;
  pointed: Point | null;
  pictures: { probability: MapPicture; activity: MapPicture; label: MapPicture };
  legend: HTMLElement;
  legendTitle: HTMLElement;
  more: HTMLElement;
  classReading: HTMLElement;
  classes: HTMLElement;
  element: HTMLElement;

  constructor({
    over,
    hover,
    put,
    pick,
  }: {
    /** the stage's */
    over: HTMLCanvasElement;
    hover: (point: Point | null) => void;
    put: (point: Point, event: PointerEvent) => void;
    pick: (label: number, name: string) => void;
  }) {
    this.over = over;
    this.pick = pick;
    this.grid = null;
    this.only = null;
    this.overlaid = ""; // which map lies over the stage
    this.pointed = null;
    const make = (name: string) => new MapPicture({ name, scaled: name !== "label", hover, put });
    this.pictures = { probability: make("probability"), activity: make("activity"), label: make("label") };
    this.legend = h("ul", { class: "dwo-legend", "data-testid": "legend" });
    this.legendTitle = h("p", { class: "dwo-legend-title" });
    this.more = h("p", { class: "dwo-dim" });
    this.classReading = h("p", { class: "dwo-class-reading", "data-testid": "reading-label" });
    const beside = h("div", { class: "dwo-beside" }, this.legendTitle, this.legend, this.more, this.classReading);
    this.classes = h("div", { class: "dwo-class-map" }, this.pictures.label.element, beside);
    const { probability, activity } = this.pictures;
    this.element = h("div", { class: "dwo-maps", "data-testid": "maps" }, probability.element, activity.element, this.classes);
  }

  close() {
    for (const picture of Object.values(this.pictures)) picture.close();
  }

  /**
   * Another image.
   * @param target the class looked at, in words
   */
  show(scene: Scene, target: string | null) {
    const classes = target !== null;
    this.element.dataset.classes = String(classes);
    this.pictures.probability.element.hidden = this.classes.hidden = !classes;
    for (const picture of Object.values(this.pictures)) picture.show(scene.picture);
    this.name(scene, target);
  }

  name({ wanted }: Scene, target: string | null) {
    setText(this.pictures.probability.title, `Probability of ${target}`);
    setText(this.pictures.activity.title, `Activity of ${wanted.layer} / ${wanted.unit}`);
    setText(this.pictures.label.title, "Most probable class");
  }

  /**
   * Paint what is computed.
   * @param map which lies over the stage
   */
  paint(grid: Grid, map: string) {
    this.grid = grid;
    for (const name of VALUE_MAPS) {
      const values = grid[name];
      if (!values) continue;
      const range = rangeOf(grid, name);
      const words = name === "probability" ? percent : number;
      this.pictures[name].lay(grid);
      this.pictures[name].scale(words(range[0]), words(range[1]), (grid.unoccluded[name] - range[0]) / (range[1] - range[0] || 1));
      paintValues(this.pictures[name].canvas, values, grid.rows, grid.cols, range, grid.nearest);
    }
    this.paintClasses(grid);
    this.overlay(map, true);
    this.read(this.pointed);
  }

  paintClasses(grid: Grid) {
    if (!grid.label) return;
    const entries = legendOf(grid);
    this.pictures.label.lay(grid);
    paintClasses(this.pictures.label.canvas, grid, this.only);
    const shown = entries.slice(0, LEGEND_ROWS);
    const key = JSON.stringify(shown.map(({ label, share }) => [label, percent(share)]));
    if (this.legend.dataset.key === key) return;
    this.legend.dataset.key = key;
    setText(this.legendTitle, "of the positions");
    this.legend.replaceChildren(...shown.map((entry) => this.entry(entry, grid.colours[entry.label])));
    setText(this.more, entries.length > LEGEND_ROWS ? `and ${entries.length - LEGEND_ROWS} more` : "");
  }

  entry({ label, name, share }: { label: number; name: string; share: number }, colour: string) {
    const swatch = h("i", {});
    swatch.style.background = colour;
    const point = (only: number | null) => () => this.emphasise(only);
    const listeners = {
      onpointerenter: point(label),
      onpointerleave: point(null),
      onfocus: point(label),
      onblur: point(null),
      onclick: () => this.pick(label, name),
    };
    const title = `${name} at ${percent(share)} of the positions; a click makes it the target`;
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", "data-testid": "legend-entry", "data-label": label, title, ...listeners },
        swatch,
        h("span", {}, name),
        h("span", { class: "dwo-dim" }, percent(share)),
      ),
    );
  }

  /** Show one class alone. */
  emphasise(only: number | null) {
    this.only = only;
    if (this.grid) paintClasses(this.pictures.label.canvas, this.grid, only);
  }

  /** Which map lies over the stage. */
  overlay(map: string, anew: boolean = false) {
    const { grid, over } = this;
    if (!grid || (this.overlaid === map && !anew)) return;
    this.overlaid = map;
    if (map === "label" && grid.label) paintClasses(over, grid);
    else {
      const name = map === "probability" && grid.probability ? "probability" : "activity";
      paintValues(over, grid[name] as Float32Array, grid.rows, grid.cols, rangeOf(grid, name), grid.nearest);
    }
  }

  /**
   * What each map says of the window nearest to a point.
   * @returns its cell
   */
  read(point: Point | null): number | null {
    const { grid, pictures } = this;
    this.pointed = point;
    const cell = grid && point ? cellOf(grid, point) : null;
    const words = !grid ? { probability: "", activity: "", label: "" } : cell === null ? restingWords(grid) : readingOf(grid, cell);
    for (const [name, picture] of Object.entries(pictures)) picture.read(cell === null ? null : grid, cell ?? 0, words[name as "label"]);
    setText(this.classReading, words.label);
    return cell;
  }

  mark(patches: Point[]) {
    for (const picture of Object.values(this.pictures)) picture.mark(patches);
  }

  /** @param stale whether another question is being answered */
  dim(stale: boolean) {
    this.element.dataset.stale = String(stale);
  }
}

/** What stands where nothing is pointed at. */
function restingWords({ unoccluded: { probability, activity, label, label_probability }, names }: Grid) {
  const named = label === null ? "" : `without a patch: ${names[label] ?? `class ${label}`}, probability ${percent(label_probability)}`;
  return { probability: `without: ${percent(probability)}`, activity: `without: ${number(activity)}`, label: named };
}

/** A cell in words. */
export function readingOf(grid: Grid, cell: number) {
  if (Number.isNaN(grid.activity[cell])) return { probability: "not yet", activity: "not yet", label: "not computed yet" };
  const label = grid.label ? grid.label[cell] : -1;
  return {
    probability: grid.probability ? `here: ${percent(grid.probability[cell])}` : "",
    activity: `here: ${number(grid.activity[cell])}`,
    label:
      label >= 0 && grid.labelProbability
        ? `here: ${grid.names[label] ?? `class ${label}`}, probability ${percent(grid.labelProbability[cell])}`
        : "",
  };
}
