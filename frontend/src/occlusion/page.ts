import { ChartHost } from "../ui/plotly_chart.ts";
import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { createClasses } from "./target_classes.ts";
import { createControls } from "./patch_controls.ts";
import { createOcclusionHeader } from "./header.ts";
import { ImageBrowser } from "../ui/image_browser.ts";
import { Maps } from "./maps.ts";
import { createProjections } from "./projections.ts";
import { createRun } from "./map_settings.ts";
import { Stage } from "./stage.ts";
import { createUnit } from "./feature_map.ts";
import { createPictureUpload, createUploadWords } from "./picture_upload.ts";
import type { WidgetModel } from "../kernel/model.ts";
import type { OcclusionView } from "./explorer.ts";
import type { MapName, OcclusionState, OcclusionWire, Tab } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

const TABS: Choice<Tab>[] = [
  ["maps", "Maps", "What the network says with the patch at every place"],
  ["chart", "Chart", "The chosen map as a chart, to zoom into and read"],
  ["images", "Images", "Another image: from the image set, or your own"],
];
const CHARTED: Choice<MapName>[] = [
  ["probability", "Probability"],
  ["activity", "Activity"],
  ["label", "Class"],
];
const HINTS: [string[], string][] = [
  [["←", "↑", "↓", "→"], "move"],
  [["Shift"], "by 8"],
  [["["], "smaller"],
  [["]"], "larger"],
  [["Del"], "remove"],
];

/**
 * The parts of a view and how they stand together.
 * @param view the OcclusionView
 */
export function createOcclusionPage(view: OcclusionView) {
  const { wire, model } = view;
  const set = (patch: Partial<OcclusionState>) => view.set(patch);
  const pick = (label: number | null, name: string | null) => view.aim(label, name);
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
  const classes = createClasses({
    id: `dwo-${wire.view}`,
    pick,
    head: () => void view.useShipped(),
    copy: (text) => view.copy(text, "Copied the line"),
  });
  const unit = createUnit({ set });
  const projections = createProjections();
  const maps = new Maps({
    over: stage.map,
    hover: (point) => view.editor.point(point, "map"),
    put: (point, event) => view.editor.put(point, event),
    pick,
  });
  const run = createRun({ set, stop: () => void view.stopMaps(), go: () => view.goOn() });
  const images = new ImageBrowser({ wire, pick: (image) => set({ image }) }, upload.button, upload.input);
  images.trouble.before(said.browser);
  const results = createTabs({ model, wire, set, maps, run, images });

  const left = h("section", { class: "dwo-pane dwo-left", "aria-label": "Image" }, stage.element, said.stage, controls.element);
  const middle = h(
    "section",
    { class: "dwo-pane dwo-middle", "aria-label": "Answers" },
    classes.element,
    unit.element,
    projections.element,
  );
  const main = h("div", { class: "dwo-main" }, left, middle, results.element);
  const status = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const hints = HINTS.map(([keys, words]) => h("span", { class: "dwx-hint" }, ...keys.map((key) => h("kbd", {}, key)), ` ${words}`));
  const drag = h("span", { class: "dwx-hint" }, "Drag the patch; Shift-click adds one");
  const footer = h("footer", { class: "dwx-footer" }, drag, ...hints, status);
  const frame = h("div", { class: "dwx-frame" }, header.element, alert, main, footer);
  const root = h("div", { class: "dwx dwo", "data-testid": "occlusion-explorer", "data-ready": "false" }, frame);
  upload.accept(stage.element, (dropping) => stage.offer(dropping));
  upload.accept(images.element, (dropping) => images.element.classList.toggle("dwo-dropping", dropping));

  /** @param words empty for none */
  const complain = (words: string) => {
    alert.hidden = !words;
    setText(alert, words);
  };
  const close = () => {
    for (const part of [stage, projections, maps, images, upload, results]) part.close();
  };
  return {
    root,
    header,
    stage,
    controls,
    classes,
    unit,
    projections,
    maps,
    run,
    images,
    results,
    said,
    complain,
    close,
    say: (words: string) => setText(status, words),
  };
}

/** The right column: the maps, one of them as a chart, or the images to choose from. */
function createTabs({
  model,
  wire,
  set,
  maps,
  run,
  images,
}: {
  model: WidgetModel;
  wire: OcclusionWire;
  set: (patch: Partial<OcclusionState>) => void;
  maps: Maps;
  run: ReturnType<typeof createRun>;
  images: ImageBrowser;
}) {
  const tabs = createRadioGroup({ label: "Shown here", prefix: "tab", testid: "tabs", choices: TABS, pick: (tab) => set({ tab }) });
  const charted = createRadioGroup({
    label: "Charted",
    prefix: "charted",
    testid: "charted",
    choices: CHARTED,
    pick: (map) => set({ map }),
  });
  const chart = h("div", { class: "dwo-chart" }, h("div", { class: "dwo-row" }, charted.element));
  const bodies: Record<string, HTMLElement> = { maps: maps.element, chart, images: images.element };
  const element = h(
    "section",
    { class: "dwo-pane dwo-right", "aria-label": "Maps" },
    h("div", { class: "dwo-row dwo-tabs" }, tabs.element),
    ...Object.values(bodies),
    run.element,
  );
  for (const body of Object.values(bodies)) body.hidden = true; // until the tab is known
  let host: ChartHost | null = null;

  /**
   * @param classes whether there are any
   * @param computed whether there is something to chart
   */
  const update = (state: OcclusionState, classes: boolean, computed: boolean) => {
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
