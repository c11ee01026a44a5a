import { createSelect, h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import { formatSize, isSmall, type Point } from "./geometry.ts";
import type { MapGrid } from "./map_grid.ts";
import type { MapsJob } from "./maps_job.ts";
import type { OcclusionState } from "./wire.ts";

const SMALL_STRIDES = [1, 2, 3];
const STRIDES = [4, 8, 12, 16, 24, 32];
const BORDERS: [OcclusionState["border"], string][] = [
  ["inside", "inside the image"],
  ["same", "past the border"],
];
const METHOD_HINT =
  "Incremental: only what the patch affects is recomputed, layer by layer. Whole image: the network is run for every position. The numbers are the same.";
const METHODS: Record<string, string> = { incremental: "exact, incremental", full: "exact, whole image" };

/** Return the strides to choose from: none larger than the image. */
export function stridesFor(size: Point): number[] {
  return [...(isSmall(size) ? SMALL_STRIDES : []), ...STRIDES].filter((step) => step <= Math.min(...size));
}

/** Return how far the maps are. */
export function describeProgress(
  { done, total, complete, method }: Pick<MapGrid, "done" | "total" | "complete" | "method">,
  stopped: boolean,
): string {
  const how = METHODS[method] ?? "exact";
  if (complete) return `${formatCount(total, "position")} · ${how}`;
  return `${formatInteger(done)} of ${formatCount(total, "position")}${stopped ? ", stopped" : ""} · ${how}`;
}

/** Stride and border of the maps, their progress, and the button that stops and resumes them. */
export function createMapControls({
  set,
  stop,
  resume,
}: {
  set: (patch: Partial<OcclusionState>) => void;
  stop: () => void;
  resume: () => void;
}) {
  let running = false;
  let offeredFor = "";
  const pickStride = (name: string) => {
    const [rows = 1, columns = rows] = name.split(",").map(Number);
    set({ stride: [rows, columns] });
  };
  const hint = "Fewer pixels give a finer map, which takes longer";
  const stride = createSelect<string>({ label: "Stride", testid: "stride", choices: [], pick: pickStride, hint });
  const border = createSelect({ label: "Border", testid: "border", choices: BORDERS, pick: (name) => set({ border: name }) });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Maps", "data-testid": "maps-bar" });
  const words = h("span", { "data-testid": "maps-words", title: METHOD_HINT });
  const act = h("button", { type: "button", class: "dwo-plain", "data-testid": "maps-act", onclick: () => (running ? stop() : resume()) });
  const window = h("span", { class: "dwo-dim", "data-testid": "maps-window" });
  const element = h(
    "div",
    { class: "dwo-run" },
    h("div", { class: "dwo-row dwo-settings" }, window, stride.element, border.element),
    h("div", { class: "dwo-row" }, words, h("span", { class: "dwo-space" }), act),
    bar,
  );

  const offerStrides = (size: Point, [rows, columns]: Point) => {
    if (offeredFor !== String(size))
      stride.select.replaceChildren(...stridesFor(size).map((step) => h("option", { value: step }, `${step} px`)));
    offeredFor = String(size);
    const name = rows === columns ? String(rows) : `${rows},${columns}`;
    const known = [...stride.select.options].some((option) => option.value === name);
    if (!known) stride.select.append(h("option", { value: name }, formatSize([rows, columns])));
    stride.select.value = name;
  };

  const update = (state: OcclusionState, { grid, stale, stopped }: Pick<MapsJob, "grid" | "stale" | "stopped">, size: Point) => {
    offerStrides(size, state.stride);
    border.select.value = state.border;
    setText(window, `Patch ${formatSize(state.window)}`);
    running = !stopped && (stale || !grid?.complete);
    const current = stale ? null : grid;
    setText(words, current ? describeProgress(current, stopped) : stopped ? "stopped" : "starting…");
    bar.value = current?.total ? current.done / current.total : 0;
    bar.dataset.running = String(running);
    act.hidden = !running && !stopped;
    setText(act, running ? "Stop" : "Resume");
  };
  return { element, update };
}
