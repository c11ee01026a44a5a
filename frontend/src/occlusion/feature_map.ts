import { h, setText } from "../ui/dom.ts";
import { number } from "../ui/format.ts";
import { paintValues, VIRIDIS_GRADIENT } from "../ui/colormap.ts";
import type { Scene } from "./store.ts";
import type { LayerInfo, OcclusionState } from "./wire.ts";

const SUGGESTED = 6;
const UNIT_SIDE = 104; // CSS pixels of the longer side, as in the style sheet

/** The strongest maps of this image to choose from: whichever is the strongest in each image, or one of those of this one. */
function createChips({ pick }: { pick: (unit: number | null) => void }) {
  const chip = (words: string, title: string, unit: number | null) =>
    h("button", { type: "button", class: "dwo-chip", title, "data-testid": `unit-${unit ?? "auto"}`, onclick: () => pick(unit) }, words);
  const auto = chip("strongest", "Each image's strongest map of this layer", null);
  const list = h("span", { class: "dwo-chips" });
  const element = h(
    "div",
    { class: "dwo-row dwo-strongest", role: "group", "aria-label": "Strongest maps of this image", "data-testid": "strongest" },
    h("span", { class: "dwo-dim" }, "in order"),
    list,
  );

  /**
   * @param wanted the map that is shown
   * @param automatic whether it is whichever is the strongest
   */
  const update = (strongest: number[], wanted: number, automatic: boolean) => {
    auto.setAttribute("aria-pressed", String(automatic));
    const chips = strongest.slice(0, SUGGESTED).map((one) => chip(String(one), `Map ${one}, one of the strongest of this image`, one));
    chips.forEach((one, at) => one.setAttribute("aria-pressed", String(!automatic && strongest[at] === wanted)));
    list.replaceChildren(...chips);
  };
  return { auto, element, update };
}

/** The feature map that is looked at: which one, how active it is, and where. */
export function createUnit({ set }: { set: (patch: Partial<OcclusionState>) => void }) {
  let scene: Scene | null = null;
  let layers: LayerInfo[] | null = null;
  let automatic: boolean | null = null;
  const layer = h("select", { class: "dwo-select", "aria-label": "Layer", "data-testid": "layer" });
  layer.addEventListener("change", () => set({ layer: layer.value, unit: null }));
  const unit = h("input", { type: "number", min: 0, class: "dwo-number", "aria-label": "Feature map", "data-testid": "unit" });
  const trouble = h("p", { class: "dwx-error", "data-testid": "unit-error", hidden: true });
  unit.addEventListener("change", () => {
    const wanted = Number(unit.value);
    const last = (layers?.find((one) => one.id === layer.value)?.channels ?? 1) - 1;
    const good = unit.value.trim() !== "" && Number.isInteger(wanted) && wanted >= 0 && wanted <= last;
    trouble.hidden = good;
    setText(trouble, good ? "" : `${layer.value} has the maps 0 to ${last}.`);
    if (good) set({ layer: layer.value, unit: wanted });
  });
  const restore = () => {
    trouble.hidden = true;
    unit.value = String(scene.wanted.unit);
  };
  const pick = (one: number | null) => {
    if (!scene) return;
    restore();
    set({ layer: scene.wanted.layer, unit: one });
  };
  const chips = createChips({ pick });
  const canvas = h("canvas", { class: "dwo-crisp", "data-testid": "unit-map", role: "img" });
  const scale = h("i", { class: "dwo-scale" });
  scale.style.background = VIRIDIS_GRADIENT;
  const [least, most] = [h("span", { "data-testid": "unit-least" }), h("span", {})];
  const before = h("span", { "data-testid": "activity-before" });
  const now = h("b", { "data-testid": "activity-now" });
  const change = h("span", { class: "dwo-change", "data-testid": "activity-change" });
  const left = h("i", { class: "dwo-now" });
  const bar = h("span", { class: "dwo-track" }, h("i", { class: "dwo-before dwo-whole" }), left);
  const what = h("p", { class: "dwo-dim", "data-testid": "unit-words" });
  const caption = h("div", { class: "dwo-cap" }, h("b", {}, "One feature map"), h("span", {}, "what it sees in this image"));
  const choice = h("div", { class: "dwo-row" }, layer, h("span", { class: "dwo-dim" }, "map"), unit, chips.auto);
  const picture = h("div", { class: "dwo-unit-map" }, canvas, scale, h("div", { class: "dwo-ends" }, least, most));
  const facts = h(
    "div",
    { class: "dwo-facts" },
    h("span", { class: "dwo-dim" }, "total activity"),
    h("p", { class: "dwo-large" }, before, " → ", now, " ", change),
    bar,
    what,
  );
  const element = h(
    "section",
    { class: "dwo-part", "aria-label": "Feature map" },
    caption,
    choice,
    chips.element,
    trouble,
    h("div", { class: "dwo-unit" }, picture, facts),
  );

  /** What the network says now. */
  const draw = ({ activity, values, shape }: { activity: number; values: Float32Array; shape: [number, number] }) => {
    paintValues(canvas, values, shape[0], shape[1], scene.range);
    setText(now, number(activity));
    const share = scene.activity > 0 ? activity / scene.activity : 0;
    left.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
    const points = Math.round(100 * (share - 1));
    setText(change, points === 0 || !(scene.activity > 0) ? "" : points > 0 ? `+${points} %` : `−${-points} %`);
    change.dataset.less = String(points < 0);
  };

  /**
   * @param shown the scene
   * @param all layers
   */
  const update = (shown: Scene | null, all: LayerInfo[], state: OcclusionState) => {
    if (all !== layers) {
      layers = all;
      layer.replaceChildren(...all.map(({ id, channels }) => h("option", { value: id, title: `${channels} feature maps` }, id)));
      if (scene) layer.value = scene.wanted.layer;
    }
    const auto = state.unit === null;
    if (!shown || (shown === scene && automatic === auto)) return;
    scene = shown;
    automatic = auto;
    const { wanted, strongest } = shown;
    layer.value = wanted.layer;
    unit.max = String((all.find(({ id }) => id === wanted.layer)?.channels ?? 1) - 1);
    restore();
    chips.update(strongest, wanted.unit, auto);
    setText(before, number(shown.activity));
    [least, most].forEach((end, at) => setText(end, number(shown.range[at])));
    const longer = Math.max(...shown.map);
    canvas.style.height = `${(UNIT_SIDE * shown.map[0]) / longer}px`;
    canvas.style.width = `${(UNIT_SIDE * shown.map[1]) / longer}px`;
    const rank = strongest.indexOf(wanted.unit);
    setText(
      what,
      rank === 0
        ? `The strongest map of ${wanted.layer} in this image.`
        : rank > 0
          ? `Number ${rank + 1} of the strongest in this image.`
          : "",
    );
    canvas.setAttribute("aria-label", `Feature map ${wanted.unit} of ${wanted.layer}`);
  };
  return { element, update, draw };
}
