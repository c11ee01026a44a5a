import type { KernelClient } from "../kernel/client.ts";
import type { WidgetModel } from "../kernel/model.ts";
import { Chart } from "../ui/chart.ts";
import { h } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import type { ImageChoice } from "./image_choice.ts";
import type { createMapControls } from "./map_controls.ts";
import type { Maps } from "./maps.ts";
import { PRIORITY } from "./store.ts";
import type { MapName, OcclusionState, Tab } from "./wire.ts";

const TABS: Choice<Tab>[] = [
  ["maps", "Maps", "What the network predicts with the patch at each position"],
  ["chart", "Chart", "One map as a chart, to zoom and read"],
  ["images", "Images", "Choose another image: of the image set, or your own"],
];
const CHARTS: Choice<MapName>[] = [
  ["probability", "Probability"],
  ["activity", "Activity"],
  ["label", "Class"],
];
const NO_MAP_YET = "The chart appears with the first positions of the map.";

/** The right column: the maps, one of them as a chart, or the images to choose from. */
export function createResults({
  id,
  model,
  client,
  set,
  maps,
  controls,
  images,
}: {
  id: string;
  model: WidgetModel;
  client: KernelClient;
  set: (patch: Partial<OcclusionState>) => void;
  maps: Maps;
  controls: ReturnType<typeof createMapControls>;
  images: ImageChoice;
}) {
  let chart: Chart | null = null;
  const charted = createRadioGroup({ label: "Map", prefix: "charted", testid: "charted", choices: CHARTS, pick: (map) => set({ map }) });
  const chartPanel = h("div", { class: "dwo-chart" }, h("div", { class: "dwo-row" }, charted.element));
  const panels = { maps: maps.element, chart: chartPanel, images: images.element };
  const tabs = createTabs({ id, label: "Results", prefix: "tab", testid: "tabs", tabs: TABS, panels, pick: (tab) => set({ tab }) });
  const row = h("div", { class: "dwo-row dwo-tabs" }, tabs.element);
  const element = h("section", { class: "dwo-pane dwo-right", "aria-label": "Maps" }, row, ...Object.values(panels), controls.element);

  /** Tell the kernel that the page has a new view of the figure. */
  const chartShown = () => {
    client.request("chart", {}, { priority: PRIORITY.chart }).catch((error: unknown) => console.debug(error)); // the alert says it
  };

  /** @param hasMap whether there is something to chart */
  const update = ({ tab, map }: OcclusionState, hasClasses: boolean, hasMap: boolean) => {
    tabs.show(tab);
    controls.element.hidden = tab === "images";
    if (tab === "images") images.open();
    if (tab !== "chart") return;
    charted.show(hasClasses ? map : "activity");
    charted.element.hidden = !hasClasses;
    if (!chart) {
      chart = new Chart(model, chartShown); // not before: plotly is 5 MB, and takes the size of its place
      chartPanel.append(chart.element);
    }
    chart.update(hasMap ? "" : NO_MAP_YET);
  };
  return { element, update, close: () => chart?.close() };
}
