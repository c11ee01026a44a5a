import { h, setText } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import type { Point } from "./geometry.ts";
import type { MapName, OcclusionState } from "./wire.ts";
import type { Choice } from "../ui/radio_group.ts";

const FILLS: Choice[] = [
  ["gray", "Gray", "The mean colour of the pictures that the network was trained on, a brownish grey: 0 for the network, as in the paper"],
  ["mean", "Mean", "The mean colour of this image"],
  ["blur", "Blur", "This image itself, blurred: no hard edges, no new colour"],
  ["colour", "Colour", "A colour of your own"],
];
const OVERLAYS: Choice<MapName>[] = [
  ["probability", "Probability", "How probable the target class is with the patch at each place"],
  ["activity", "Activity", "How active the feature map is with the patch at each place"],
  ["label", "Class", "What the network takes the image for with the patch at each place"],
];
const OPAQUE_GRAY = "0 for the network, whatever colour its transform makes that of";
const FIRST_COLOUR = "#808080";
const AXES: [string, 0 | 1][] = [
  ["height", 0],
  ["width", 1],
];

/** A slider with its value. */
function slider({
  label,
  testid,
  input,
  ...range
}: {
  label: string;
  testid: string;
  min: number;
  max: number;
  step: number;
  input: (value: number) => void;
}) {
  const control = h("input", { type: "range", class: "dwo-slider", "data-testid": testid, "aria-label": label, ...range });
  control.addEventListener("input", () => input(Number(control.value)));
  const value = h("output", { class: "dwo-value", "data-testid": `${testid}-value` });
  return { element: h("span", { class: "dwo-slide" }, control, value), control, value };
}

/** Beneath the stage: the patch, what it is filled with, and the map over the image. */
export function createControls({
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
  const square = h("label", { class: "dwo-check", title: "Height and width change together" }, linked, "square");
  const sizes = AXES.map(([label, axis]) => {
    const input = (value: number) => {
      const window = [...state.window];
      window[axis] = value;
      set({ window: linked.checked ? [value, value] : window });
    };
    return slider({ label: `Patch ${label}`, testid: `window-${label}`, min: 1, max: 224, step: 1, input });
  });
  const colour = h("input", {
    type: "color",
    value: FIRST_COLOUR,
    "aria-label": "Colour of the patch",
    "data-testid": "fill-colour-input",
    class: "dwo-colour",
  });
  colour.addEventListener("input", () => set({ fill: colour.value }));
  const fills = createRadioGroup({
    label: "Fill",
    prefix: "fill",
    testid: "fills",
    choices: FILLS,
    pick: (name) => set({ fill: name === "colour" ? colour.value : name }),
  });
  const maps = createRadioGroup({
    label: "Map over the image",
    prefix: "over",
    testid: "overlays",
    choices: OVERLAYS,
    pick: (map) => set({ map, overlay: state.overlay || 0.6 }),
  });
  const opacity = slider({
    label: "Opacity of the map",
    testid: "overlay",
    min: 0,
    max: 100,
    step: 5,
    input: (value) => set({ overlay: value / 100 }),
  });
  const adding = h("button", { type: "button", class: "dwo-plain", "data-testid": "add-patch", onclick: add }, "Add a patch");
  const removing = h("button", { type: "button", class: "dwo-plain", "data-testid": "remove-patch", onclick: remove }, "Remove it");
  const row = (what: string, ...parts: Node[]) => h("div", { class: "dwo-row" }, h("span", { class: "dwo-what" }, what), ...parts);
  const element = h(
    "div",
    { class: "dwo-controls" },
    row("Height", sizes[0].element, square),
    row("Width", sizes[1].element, h("span", { class: "dwo-check" })),
    row("Fill", fills.element, colour),
    row("Patches", adding, removing),
    row("Map over it", maps.element, opacity.element),
  );

  const part = ({ element: inside }: { element: HTMLElement }, testid: string) =>
    inside.querySelector(`[data-testid=${testid}]`) as HTMLElement;

  /**
   * @param now the state
   * @param size of the image
   * @param has whether there are classes, and whether it is known what a colour is to the network
   */
  const update = (now: OcclusionState, size: Point, { classes, colours }: { classes: boolean; colours: boolean }) => {
    state = now;
    sizes.forEach(({ control, value }, axis) => {
      control.max = String(size[axis]);
      if (control.value !== String(now.window[axis])) control.value = String(now.window[axis]);
      setText(value, `${now.window[axis]} px`);
    });
    if (now.window[0] !== now.window[1]) linked.checked = false;
    const own = now.fill.startsWith("#");
    if (own) colour.value = now.fill;
    fills.show(own ? "colour" : now.fill);
    part(fills, "fill-colour").hidden = colour.hidden = !colours;
    part(fills, "fill-gray").title = colours ? FILLS[0][2] : OPAQUE_GRAY;
    maps.show(classes ? now.map : "activity");
    for (const name of ["probability", "label"]) part(maps, `over-${name}`).hidden = !classes;
    const percents = Math.round(100 * now.overlay);
    if (opacity.control.value !== String(percents)) opacity.control.value = String(percents);
    setText(opacity.value, percents ? `${percents} %` : "off");
    setText(removing, now.patches.length > 1 ? "Remove one" : "Remove it");
    (removing as HTMLButtonElement).disabled = now.patches.length === 0;
  };
  return { element, update };
}
