import { h, setText } from "./dom.js";
import { number, percent } from "./format.js";
import { paintClasses, paintValues } from "./occlusion_colours.js";
import { cellOf, legendOf, rangeOf } from "./occlusion_grid.js";
import { MapPicture } from "./occlusion_map.js";

const LEGEND_ROWS = 9;
const VALUE_MAPS = /** @type {("probability" | "activity")[]} */ (["probability", "activity"]);

/**
 * The maps of the paper's figure 7: activity (b), probability of the target (d), most probable class (e) with its legend.
 *
 * @typedef {import("./occlusion_grid.js").Grid} Grid
 * @typedef {import("./occlusion_geometry.js").Point} Point
 */
export class Maps {
  /**
   * @param {object} options
   * @param {HTMLCanvasElement} options.over the stage's
   * @param {(point: Point | null) => void} options.hover
   * @param {(point: Point, event: PointerEvent) => void} options.put
   * @param {(label: number, name: string) => void} options.pick
   */
  constructor({ over, hover, put, pick }) {
    this.over = over;
    this.pick = pick;
    /** @type {Grid | null} */
    this.grid = null;
    this.only = /** @type {number | null} */ (null);
    this.overlaid = ""; // which map lies over the stage
    this.pointed = /** @type {Point | null} */ (null);
    const make = (/** @type {string} */ name) => new MapPicture({ name, scaled: name !== "label", hover, put });
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

  /** Another image. @param {any} scene @param {string | null} target the class looked at, in words */
  show(scene, target) {
    const classes = target !== null;
    this.element.dataset.classes = String(classes);
    this.pictures.probability.element.hidden = this.classes.hidden = !classes;
    for (const picture of Object.values(this.pictures)) picture.show(scene.picture);
    this.name(scene, target);
  }

  /** @param {any} scene @param {string | null} target */
  name({ wanted }, target) {
    setText(this.pictures.probability.title, `Probability of ${target}`);
    setText(this.pictures.activity.title, `Activity of ${wanted.layer} / ${wanted.unit}`);
    setText(this.pictures.label.title, "Most probable class");
  }

  /** Paint what is computed. @param {Grid} grid @param {string} map which lies over the stage */
  paint(grid, map) {
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

  /** @param {Grid} grid */
  paintClasses(grid) {
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

  /** @param {{label: number, name: string, share: number}} entry @param {string} colour */
  entry({ label, name, share }, colour) {
    const swatch = h("i", {});
    swatch.style.background = colour;
    const point = (/** @type {number | null} */ only) => () => this.emphasise(only);
    const listeners = { onpointerenter: point(label), onpointerleave: point(null), onfocus: point(label), onblur: point(null), onclick: () => this.pick(label, name) };
    const title = `${name} at ${percent(share)} of the positions; a click makes it the target`;
    return h("li", {}, h("button", { type: "button", "data-testid": "legend-entry", "data-label": label, title, ...listeners }, swatch, h("span", {}, name), h("span", { class: "dwo-dim" }, percent(share))));
  }

  /** Show one class alone. @param {number | null} only */
  emphasise(only) {
    this.only = only;
    if (this.grid) paintClasses(this.pictures.label.canvas, this.grid, only);
  }

  /** Which map lies over the stage. @param {string} map @param {boolean} [anew] */
  overlay(map, anew = false) {
    const { grid, over } = this;
    if (!grid || (this.overlaid === map && !anew)) return;
    this.overlaid = map;
    if (map === "label" && grid.label) paintClasses(over, grid);
    else {
      const name = map === "probability" && grid.probability ? "probability" : "activity";
      paintValues(over, /** @type {Float32Array} */ (grid[name]), grid.rows, grid.cols, rangeOf(grid, name), grid.nearest);
    }
  }

  /** What each map says of the window nearest to a point. @param {Point | null} point @returns {number | null} its cell */
  read(point) {
    const { grid, pictures } = this;
    this.pointed = point;
    const cell = grid && point ? cellOf(grid, point) : null;
    const words = !grid ? { probability: "", activity: "", label: "" } : cell === null ? restingWords(grid) : readingOf(grid, cell);
    for (const [name, picture] of Object.entries(pictures)) picture.read(cell === null ? null : grid, cell ?? 0, words[/** @type {"label"} */ (name)]);
    setText(this.classReading, words.label);
    return cell;
  }

  /** @param {Point[]} patches */
  mark(patches) {
    for (const picture of Object.values(this.pictures)) picture.mark(patches);
  }

  /** @param {boolean} stale whether another question is being answered */
  dim(stale) {
    this.element.dataset.stale = String(stale);
  }
}

/** What stands where nothing is pointed at. @param {Grid} grid */
function restingWords({ unoccluded: { probability, activity, label, label_probability }, names }) {
  const named = label === null ? "" : `without a patch: ${names[label] ?? `class ${label}`}, probability ${percent(label_probability)}`;
  return { probability: `without: ${percent(probability)}`, activity: `without: ${number(activity)}`, label: named };
}

/** A cell in words. @param {Grid} grid @param {number} cell */
export function readingOf(grid, cell) {
  if (Number.isNaN(grid.activity[cell])) return { probability: "not yet", activity: "not yet", label: "not computed yet" };
  const label = grid.label ? grid.label[cell] : -1;
  return {
    probability: grid.probability ? `here: ${percent(grid.probability[cell])}` : "",
    activity: `here: ${number(grid.activity[cell])}`,
    label: label >= 0 && grid.labelProbability ? `here: ${grid.names[label] ?? `class ${label}`}, probability ${percent(grid.labelProbability[cell])}` : "",
  };
}
