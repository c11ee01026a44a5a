import { ChartHost } from "./chart_host.js";
import { h, segments, setText } from "./dom.js";
import { createClasses } from "./occlusion_classes.js";
import { createControls } from "./occlusion_controls.js";
import { createOcclusionHeader } from "./occlusion_header.js";
import { ImageBrowser } from "./occlusion_images.js";
import { Maps } from "./occlusion_maps.js";
import { createProjections } from "./occlusion_projections.js";
import { createRun } from "./occlusion_run.js";
import { Stage } from "./occlusion_stage.js";
import { createUnit } from "./occlusion_unit.js";
import { createPictureUpload, createUploadWords } from "./occlusion_upload.js";

const TABS = /** @type {[string, string, string][]} */ ([
  ["maps", "Maps", "What the network says with the patch at every place"],
  ["chart", "Chart", "The chosen map as a chart, to zoom into and read"],
  ["images", "Images", "Another image: from the image set, or your own"],
]);
const CHARTED = /** @type {[string, string][]} */ ([["probability", "Probability"], ["activity", "Activity"], ["label", "Class"]]);
const HINTS = /** @type {[string[], string][]} */ ([
  [["←", "↑", "↓", "→"], "move"],
  [["Shift"], "by 8"],
  [["["], "smaller"],
  [["]"], "larger"],
  [["Del"], "remove"],
]);

/**
 * The parts of a view and how they stand together.
 * @param {any} view the OcclusionView
 */
export function createOcclusionPage(view) {
  const { wire, model } = view;
  const set = (/** @type {any} */ patch) => view.set(patch);
  const pick = (/** @type {number | null} */ label, /** @type {string | null} */ name) => view.aim(label, name);
  const said = createUploadWords();
  const upload = createPictureUpload({ wire, say: said.say, done: (...what) => view.uploaded(...what) });
  const header = createOcclusionHeader({ images: () => view.showImages(), save: (file) => view.save(file), copy: () => view.copyState() });
  const alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
  const stage = new Stage({
    press: (point, event) => view.editor.press(point, event),
    drag: (point, event) => view.editor.move(point, event),
    foresee: (point, event) => view.editor.foresee(point, event),
    release: () => view.editor.release(),
    hover: (point) => view.editor.point(point, "stage"),
  });
  const controls = createControls({ set, add: () => view.editor.add(null), remove: () => view.editor.remove() });
  const classes = createClasses({ id: `dwo-${wire.view}`, pick, head: () => void view.useShipped(), copy: (text) => view.copy(text, "Copied the line") });
  const unit = createUnit({ set });
  const projections = createProjections();
  const maps = new Maps({ over: stage.map, hover: (point) => view.editor.point(point, "map"), put: (point, event) => view.editor.put(point, event), pick });
  const run = createRun({ set, stop: () => void view.stopMaps(), go: () => view.goOn() });
  const images = new ImageBrowser({ wire, pick: (image) => set({ image }) }, upload.button, upload.input);
  images.trouble.before(said.browser);
  const results = createTabs({ model, wire, set, maps, run, images });

  const left = h("section", { class: "dwo-pane dwo-left", "aria-label": "Image" }, stage.element, said.stage, controls.element);
  const middle = h("section", { class: "dwo-pane dwo-middle", "aria-label": "Answers" }, classes.element, unit.element, projections.element);
  const main = h("div", { class: "dwo-main" }, left, middle, results.element);
  const status = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const hints = HINTS.map(([keys, words]) => h("span", { class: "dwx-hint" }, ...keys.map((key) => h("kbd", {}, key)), ` ${words}`));
  const drag = h("span", { class: "dwx-hint" }, "Drag the patch; Shift-click adds one");
  const footer = h("footer", { class: "dwx-footer" }, drag, ...hints, status);
  const frame = h("div", { class: "dwx-frame" }, header.element, alert, main, footer);
  const root = h("div", { class: "dwx dwo", "data-testid": "occlusion-explorer", "data-ready": "false" }, frame);
  upload.accept(stage.element, (dropping) => stage.offer(dropping));
  upload.accept(images.element, (dropping) => images.element.classList.toggle("dwo-dropping", dropping));

  /** @param {string} words empty for none */
  const complain = (words) => {
    alert.hidden = !words;
    setText(alert, words);
  };
  const close = () => {
    for (const part of [stage, projections, maps, images, upload, results]) part.close();
  };
  return {
    root, header, stage, controls, classes, unit, projections, maps, run, images, results, said, complain, close,
    say: (/** @type {string} */ words) => setText(status, words),
  };
}

/**
 * The right column: the maps, one of them as a chart, or the images to choose from.
 * @param {{model: any, wire: any, set: (patch: any) => void, maps: Maps, run: ReturnType<typeof createRun>, images: ImageBrowser}} options
 */
function createTabs({ model, wire, set, maps, run, images }) {
  const tabs = segments({ label: "Shown here", prefix: "tab", testid: "tabs", choices: TABS, pick: (tab) => set({ tab }) });
  const charted = segments({ label: "Charted", prefix: "charted", testid: "charted", choices: CHARTED, pick: (map) => set({ map }) });
  const chart = h("div", { class: "dwo-chart" }, h("div", { class: "dwo-row" }, charted.element));
  const bodies = /** @type {Record<string, HTMLElement>} */ ({ maps: maps.element, chart, images: images.element });
  const element = h("section", { class: "dwo-pane dwo-right", "aria-label": "Maps" }, h("div", { class: "dwo-row dwo-tabs" }, tabs.element), ...Object.values(bodies), run.element);
  for (const body of Object.values(bodies)) body.hidden = true; // until the tab is known
  /** @type {ChartHost | null} */
  let host = null;

  /** @param {any} state @param {boolean} classes whether there are any @param {boolean} computed whether there is something to chart */
  const update = (state, classes, computed) => {
    tabs.show(state.tab);
    for (const [name, body] of Object.entries(bodies)) body.hidden = name !== state.tab;
    run.element.hidden = state.tab === "images";
    if (state.tab === "images") images.ready();
    if (state.tab !== "chart") return;
    charted.show(classes ? state.map : "activity");
    charted.element.hidden = !classes;
    if (!host) {
      // Not before it is looked at: plotly is 5 MB, and takes the size of its place.
      host = new ChartHost(model, () => void wire.ask("chart").catch(() => {}));
      chart.append(host.element);
    }
    host.update(computed ? "" : "The chart begins with the first positions of the map.");
  };
  return { element, update, close: () => host?.close() };
}
