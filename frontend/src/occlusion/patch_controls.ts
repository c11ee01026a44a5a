import type { Quantity } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { createSlider } from "../ui/slider.ts";
import type { Point } from "./geometry.ts";
import { availableMaps, shownMap } from "./map_grid.ts";
import type { MapName, OcclusionState } from "./wire.ts";

type Fill = "gray" | "mean" | "blur" | "colour";

const GRAY_HINT = "The mean colour of the training images: 0 after normalisation, as in the paper";
const UNKNOWN_GRAY_HINT = "0 after normalisation; the colour is unknown";
const FILLS: Choice<Fill>[] = [
  ["gray", "Gray", GRAY_HINT],
  ["mean", "Mean", "The mean colour of this image"],
  ["blur", "Blur", "This image, blurred: no hard edges and no new colours"],
  ["colour", "Colour", "A custom colour"],
];
const OVERLAYS: Choice<MapName>[] = [
  ["probability", "Probability", "Probability of the target class with the patch at each position"],
  ["value", "Value", "The target value with the patch at each position"],
  ["activity", "Activity", "Total activity of the feature map with the patch at each position"],
  ["label", "Class", "The most probable class with the patch at each position"],
];
const DEFAULT_COLOUR = "#808080";
const DEFAULT_OPACITY = 0.6;

/** Create the controls below the image: size and fill of the patch, and the overlay. */
export function createPatchControls({
  set,
  add,
  remove,
}: {
  set: (patch: Partial<OcclusionState>) => void;
  add: () => void;
  remove: () => void;
}) {
  let state: OcclusionState | null = null;
  const linked = h("input", { type: "checkbox", checked: true, "data-testid": "linked" });
  const square = h("label", { class: "dwo-check", title: "Change height and width together" }, linked, "square");
  const createSize = (name: string, axis: 0 | 1) => {
    const input = (value: number) => {
      const window: Point = [...(state?.window ?? [value, value])];
      window[axis] = value;
      set({ window: linked.checked ? [value, value] : window });
    };
    return createSlider({ label: `Patch ${name}`, testid: `window-${name}`, min: 1, max: 224, step: 1, input });
  };
  const [height, width] = [createSize("height", 0), createSize("width", 1)];
  const colour = h("input", {
    type: "color",
    value: DEFAULT_COLOUR,
    "aria-label": "Colour of the patch",
    "data-testid": "fill-colour-input",
    class: "dwo-colour",
  });
  colour.addEventListener("input", () => set({ fill: colour.value }));
  const pickFill = (name: Fill) => set({ fill: name === "colour" ? colour.value : name });
  const fills = createRadioGroup({ label: "Fill", prefix: "fill", testid: "fills", choices: FILLS, pick: pickFill });
  const pickMap = (map: MapName) => set({ map, overlay: state?.overlay || DEFAULT_OPACITY });
  const maps = createRadioGroup({ label: "Overlaid map", prefix: "over", testid: "overlays", choices: OVERLAYS, pick: pickMap });
  const pickOpacity = (percent: number) => set({ overlay: percent / 100 });
  const opacity = createSlider({ label: "Opacity of the overlay", testid: "overlay", min: 0, max: 100, step: 5, input: pickOpacity });
  const addButton = h("button", { type: "button", class: "dwo-button", "data-testid": "add-patch", onclick: add }, "Add patch");
  const removeButton = h("button", { type: "button", class: "dwo-button", "data-testid": "remove-patch", onclick: remove }, "Remove patch");
  const row = (label: string, ...parts: Node[]) => h("div", { class: "dwo-row" }, h("span", { class: "dwo-row-label" }, label), ...parts);
  const element = h(
    "div",
    { class: "dwo-controls" },
    row("Height", height.element, square),
    row("Width", width.element, h("span", { class: "dwo-check" })),
    row("Fill", fills.element, colour),
    row("Patches", addButton, removeButton),
    row("Overlay", maps.element, opacity.element),
  );

  /** @param hasColours whether patches can be filled with a colour */
  const update = (newState: OcclusionState, size: Point, quantity: Quantity | null, hasColours: boolean) => {
    state = newState;
    for (const [axis, slider] of [height, width].entries()) {
      slider.control.max = String(size[axis as 0 | 1]);
      const side = newState.window[axis as 0 | 1];
      slider.show(side, `${side} px`);
    }
    if (newState.window[0] !== newState.window[1]) linked.checked = false;
    const isColour = newState.fill.startsWith("#");
    if (isColour) colour.value = newState.fill;
    fills.show(isColour ? "colour" : (newState.fill as Fill));
    fills.hide("colour", !hasColours);
    fills.describe("gray", hasColours ? GRAY_HINT : UNKNOWN_GRAY_HINT);
    colour.hidden = !hasColours;
    maps.show(shownMap(newState.map, quantity));
    for (const [name] of OVERLAYS) maps.hide(name, !availableMaps(quantity).includes(name));
    const percent = Math.round(100 * newState.overlay);
    opacity.show(percent, percent ? `${percent}%` : "off");
    setText(removeButton, newState.patches.length > 1 ? "Remove active patch" : "Remove patch");
    removeButton.disabled = newState.patches.length === 0;
  };
  return { element, update };
}
