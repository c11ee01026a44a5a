import type { Quantity } from "../kernel/wire.ts";
import { Chart } from "../ui/chart.ts";
import { h } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { createTabs } from "../ui/tabs.ts";
import type { ImageChoice } from "./image_choice.ts";
import type { createMapControls } from "./map_controls.ts";
import { availableMaps, type MapGrid, shownMap } from "./map_grid.ts";
import type { Maps } from "./maps.ts";
import type { OcclusionStore } from "./store.ts";
import type { MapName, OcclusionState, Tab } from "./wire.ts";

const TABS: Choice<Tab>[] = [
  ["maps", "Maps", "Predictions with the patch at each position"],
  ["chart", "Chart", "A map as an interactive chart"],
  ["why", "Why?", "The units behind the answer, and the maps of the predicted and the true class"],
  ["images", "Images", "Choose an image of the image set, or upload one"],
];
const CHARTS: Choice<MapName>[] = [
  ["probability", "Probability"],
  ["value", "Value"],
  ["activity", "Activity"],
  ["label", "Class"],
];
const NO_MAP_YET = "The chart appears with the first positions of the map.";

/** Create the right column: the maps, a chart of one map, and the image browser. */
export function createResults({
  id,
  store,
  set,
  maps,
  why,
  controls,
  images,
}: {
  id: string;
  store: OcclusionStore;
  set: (patch: Partial<OcclusionState>) => void;
  maps: Maps;
  /** The panel of the tab "why". */
  why: HTMLElement;
  controls: ReturnType<typeof createMapControls>;
  images: ImageChoice;
}) {
  let chart: Chart | null = null;
  const chartMaps = createRadioGroup({ label: "Map", prefix: "charted", testid: "charted", choices: CHARTS, pick: (map) => set({ map }) });
  const chartPanel = h("div", { class: "dwo-chart" }, h("div", { class: "dwo-row" }, chartMaps.element));
  const panels = { maps: maps.element, chart: chartPanel, why, images: images.element };
  const tabs = createTabs({ id, label: "Results", prefix: "tab", testid: "tabs", tabs: TABS, panels, pick: (tab) => set({ tab }) });
  const row = h("div", { class: "dwo-row dwo-tabs" }, tabs.element);
  const element = h("section", { class: "dwo-pane dwo-right", "aria-label": "Maps" }, row, ...Object.values(panels), controls.element);

  const drawChart = (grid: MapGrid | null, map: MapName) => {
    if (!chart) {
      chart = new Chart({ client: store.client, plotly: store.plotly, config: { scrollZoom: true } });
      chartPanel.append(chart.element);
    }
    if (grid) chart.show({ run: grid.run, map }, String(grid.done));
    else chart.clear(NO_MAP_YET);
  };

  const update = ({ tab, map }: OcclusionState, quantity: Quantity | null, grid: MapGrid | null) => {
    tabs.show(tab);
    controls.element.hidden = tab === "images";
    const place = tab === "why" ? maps.compared.element : element; // below the maps
    if (controls.element.parentElement !== place) place.append(controls.element);
    if (tab === "images") images.open();
    if (tab !== "chart") return;
    const [name, available] = [shownMap(map, quantity), availableMaps(quantity)];
    chartMaps.show(name);
    for (const [choice] of CHARTS) chartMaps.hide(choice, !available.includes(choice));
    chartMaps.element.hidden = available.length === 1;
    drawChart(grid, name);
  };
  return { element, update, close: () => chart?.close() };
}
