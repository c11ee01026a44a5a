import { createSelect, h, setText } from "../ui/dom.ts";
import { counted, grouped } from "../ui/format.ts";
import { isFine, windowWords } from "./geometry.ts";
import type { Grid } from "./map_grid.ts";
import type { OcclusionState } from "./wire.ts";

const FINE_STRIDES = [1, 2, 3];
const STRIDES = [4, 8, 12, 16, 24, 32];
const BORDERS: [OcclusionState["border"], string][] = [
  ["inside", "inside the image"],
  ["same", "past its border too"],
];
const METHOD_HINT =
  "Incremental: only what the patch touches is computed anew, layer by layer. Whole images: the network runs from end to end for every position. The numbers are the same.";
const METHODS: Record<string, string> = {
  incremental: "exact, incremental",
  full: "exact, whole images",
};

/**
 * The strides to choose from: none that the kernel would refuse as larger than the image.
 * @param size of the image
 */
export function stridesFor(size: [number, number]) {
  return [...(isFine(size) ? FINE_STRIDES : []), ...STRIDES].filter((step) => step <= Math.min(...size));
}

/** How far the maps are. */
export function gridWords(
  { done, total, complete, method }: { done: number; total: number; complete: boolean; method?: string },
  stopped: boolean,
) {
  const how = METHODS[method ?? ""] ?? "exact";
  if (complete) return `${counted(total, "position")} · ${how}`;
  return `${grouped(done)} of ${counted(total, "position")}${stopped ? ", stopped" : ""} · ${how}`;
}

/** Where the window goes, and how far it is. */
export function createRun({ set, stop, go }: { set: (patch: Partial<OcclusionState>) => void; stop: () => void; go: () => void }) {
  const stride = createSelect({
    label: "every",
    testid: "stride",
    choices: [], // with the image
    pick: (name) => set({ stride: name.split(",").length > 1 ? name.split(",").map(Number) : [Number(name), Number(name)] }),
    hint: "Fewer pixels: a finer map, which takes longer",
  });
  const border = createSelect({ label: "", testid: "border", choices: BORDERS, pick: (name) => set({ border: name }) });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Maps", "data-testid": "maps-bar" });
  const words = h("span", { "data-testid": "maps-words", title: METHOD_HINT }, "");
  const act = h("button", { type: "button", class: "dwo-plain", "data-testid": "maps-act", onclick: () => (running ? stop() : go()) });
  const window = h("span", { class: "dwo-dim", "data-testid": "maps-window" });
  const element = h(
    "div",
    { class: "dwo-run" },
    h("div", { class: "dwo-row dwo-settings" }, window, stride.element, border.element),
    h("div", { class: "dwo-row" }, words, h("span", { class: "dwo-space" }), act),
    bar,
  );
  let running = false;
  let offered = ""; // for which size

  const update = ({
    state,
    grid,
    stale,
    stopped,
    size,
  }: {
    state: OcclusionState;
    grid: Grid | null;
    stale: boolean;
    stopped: boolean;
    size: [number, number];
  }) => {
    if (offered !== String(size))
      stride.select.replaceChildren(...stridesFor(size).map((step) => h("option", { value: step }, `${step} px`)));
    offered = String(size);
    const [rows, columns] = state.stride;
    const name = rows === columns ? String(rows) : `${rows},${columns}`;
    if (![...stride.select.options].some((option) => option.value === name)) {
      stride.select.append(h("option", { value: name }, rows === columns ? `${rows} px` : `${rows} × ${columns} px`));
    }
    stride.select.value = name;
    border.select.value = state.border;
    setText(window, `a patch of ${windowWords(state.window)}`);
    running = !stopped && (stale || !grid || !grid.complete);
    const share = stale || !grid || !grid.total ? 0 : grid.done / grid.total;
    if (stale || !grid) setText(words, stopped ? "stopped" : "the maps begin…");
    else setText(words, gridWords(grid, stopped));
    bar.setAttribute("value", String(share));
    bar.dataset.running = String(running);
    act.hidden = !running && !stopped;
    setText(act, running ? "Stop" : "Go on");
  };
  return { element, update };
}
