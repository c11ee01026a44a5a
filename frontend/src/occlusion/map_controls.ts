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
  ["same", "beyond the border"],
];
const METHOD_HINT =
  "The values are exact. Only the region that the patch affects is recomputed, layer by layer; where that is impossible, the network is run on the whole image for every position, which takes longer.";
const METHODS: Record<string, string> = { full: "whole image each time" };

/** Return the available strides, at most the size of the image. */
export function stridesFor(size: Point): number[] {
  return [...(isSmall(size) ? SMALL_STRIDES : []), ...STRIDES].filter((value) => value <= Math.min(...size));
}

/** Describe the progress of the maps. */
export function describeProgress(
  { done, total, complete, method }: Pick<MapGrid, "done" | "total" | "complete" | "method">,
  stopped: boolean,
): string {
  const suffix = METHODS[method] ? ` · ${METHODS[method]}` : "";
  if (complete) return `${formatCount(total, "position")}${suffix}`;
  return `${formatInteger(done)} of ${formatCount(total, "position")}${stopped ? ", stopped" : ""}${suffix}`;
}

/** Create the controls of the maps: stride and border, progress, and the button that stops and resumes the job. */
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
  let stridesSize = "";
  const pickStride = (name: string) => {
    const [rows = 1, columns = rows] = name.split(",").map(Number);
    set({ stride: [rows, columns] });
  };
  const hint = "A smaller stride gives a finer map, and takes longer";
  const stride = createSelect<string>({ label: "Stride", testid: "stride", choices: [], pick: pickStride, hint });
  const border = createSelect({ label: "Positions", testid: "border", choices: BORDERS, pick: (name) => set({ border: name }) });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Maps", "data-testid": "maps-bar" });
  const text = h("span", { "data-testid": "maps-words", title: METHOD_HINT });
  const button = h("button", {
    type: "button",
    class: "dwo-button",
    "data-testid": "maps-act",
    onclick: () => (running ? stop() : resume()),
  });
  const window = h("span", { class: "dwo-dim", "data-testid": "maps-window" });
  const element = h(
    "div",
    { class: "dwo-run" },
    h("div", { class: "dwo-row dwo-settings" }, window, stride.element, border.element),
    h("div", { class: "dwo-row" }, text, h("span", { class: "dwo-spacer" }), button),
    bar,
  );

  const updateStrides = (size: Point, [rows, columns]: Point) => {
    if (stridesSize !== String(size))
      stride.select.replaceChildren(...stridesFor(size).map((value) => h("option", { value }, `${value} px`)));
    stridesSize = String(size);
    const name = rows === columns ? String(rows) : `${rows},${columns}`;
    const isListed = [...stride.select.options].some((option) => option.value === name);
    if (!isListed) stride.select.append(h("option", { value: name }, formatSize([rows, columns])));
    stride.select.value = name;
  };

  const update = (state: OcclusionState, { grid, stale, stopped }: Pick<MapsJob, "grid" | "stale" | "stopped">, size: Point) => {
    updateStrides(size, state.stride);
    border.select.value = state.border;
    setText(window, `Patch ${formatSize(state.window)}`);
    running = !stopped && (stale || !grid?.complete);
    const current = stale ? null : grid;
    setText(text, current ? describeProgress(current, stopped) : stopped ? "stopped" : "starting…");
    bar.value = current?.total ? current.done / current.total : 0;
    bar.dataset.running = String(running);
    button.hidden = !running && !stopped;
    setText(button, running ? "Stop" : "Resume");
  };
  return { element, update };
}
