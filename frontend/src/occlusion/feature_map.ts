import { drawValues, VIRIDIS_GRADIENT } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import type { Scene } from "./store.ts";
import type { LayerInfo, OcclusionState } from "./wire.ts";

const SUGGESTIONS = 6;
const SIDE = 104; // CSS pixels of the longer side, as in the stylesheet

/** Buttons for the strongest feature maps of the image, and for whichever is the strongest in each image. */
function createSuggestions({ pick }: { pick: (unit: number | null) => void }) {
  const createChip = (words: string, title: string, unit: number | null) => {
    const properties = { type: "button", class: "dwo-chip", title, "data-testid": `unit-${unit ?? "auto"}`, onclick: () => pick(unit) };
    return h("button", properties, words);
  };
  const automatic = createChip("strongest", "The strongest feature map of the layer, in each image", null);
  const list = h("span", { class: "dwo-chips" });
  const properties = { role: "group", "aria-label": "Strongest feature maps of this image", "data-testid": "strongest" };
  const element = h("div", { class: "dwo-row dwo-strongest", ...properties }, h("span", { class: "dwo-dim" }, "strongest:"), list);

  const update = (strongest: number[], unit: number, isAutomatic: boolean) => {
    automatic.setAttribute("aria-pressed", String(isAutomatic));
    const chips = strongest.slice(0, SUGGESTIONS).map((one) => {
      const chip = createChip(String(one), `Feature map ${one}, one of the strongest of this image`, one);
      chip.setAttribute("aria-pressed", String(!isAutomatic && one === unit));
      return chip;
    });
    list.replaceChildren(...chips);
  };
  return { automatic, element, update };
}

/** The choice of the layer and the feature map. */
function createUnitChoice({ set }: { set: (patch: Partial<OcclusionState>) => void }) {
  let layers: LayerInfo[] = [];
  let shown: Scene | null = null;
  const layer = h("select", { class: "dwo-select", "aria-label": "Layer", "data-testid": "layer" });
  layer.addEventListener("change", () => set({ layer: layer.value, unit: null }));
  const unit = h("input", { type: "number", min: 0, class: "dwo-number", "aria-label": "Feature map", "data-testid": "unit" });
  const error = h("p", { class: "dwx-error", "data-testid": "unit-error", role: "alert", hidden: true });
  const lastUnit = () => (layers.find(({ id }) => id === layer.value)?.channels ?? 1) - 1;
  unit.addEventListener("change", () => {
    const number = Number(unit.value);
    const valid = unit.value.trim() !== "" && Number.isInteger(number) && number >= 0 && number <= lastUnit();
    error.hidden = valid;
    setText(error, valid ? "" : `${layer.value} has the feature maps 0 to ${lastUnit()}.`);
    if (valid) set({ layer: layer.value, unit: number });
  });
  const restore = () => {
    error.hidden = true;
    if (shown) unit.value = String(shown.request.unit);
  };
  const pick = (one: number | null) => {
    if (!shown) return;
    restore();
    set({ layer: shown.request.layer, unit: one });
  };
  const suggestions = createSuggestions({ pick });
  const row = h("div", { class: "dwo-row" }, layer, h("span", { class: "dwo-dim" }, "map"), unit, suggestions.automatic);

  const offer = (all: LayerInfo[]) => {
    if (all === layers) return;
    layers = all;
    layer.replaceChildren(...all.map(({ id, channels }) => h("option", { value: id, title: `${channels} feature maps` }, id)));
    if (shown) layer.value = shown.request.layer;
  };
  const show = (scene: Scene, isAutomatic: boolean) => {
    shown = scene;
    layer.value = scene.request.layer;
    unit.max = String(lastUnit());
    restore();
    suggestions.update(scene.strongest, scene.request.unit, isAutomatic);
  };
  return { elements: [row, suggestions.element, error], offer, show };
}

/** The feature map: its values as colours, and its total activity without and with the patches. */
export function createFeatureMap({ set }: { set: (patch: Partial<OcclusionState>) => void }) {
  let scene: Scene | null = null;
  let automatic: boolean | null = null;
  const choice = createUnitChoice({ set });
  const canvas = h("canvas", { class: "dwo-crisp", "data-testid": "unit-map", role: "img" });
  const scale = h("i", { class: "dwo-scale" });
  scale.style.background = VIRIDIS_GRADIENT;
  const [least, most] = [h("span", { "data-testid": "unit-least" }), h("span", {})];
  const before = h("span", { "data-testid": "activity-before" });
  const now = h("b", { "data-testid": "activity-now" });
  const change = h("span", { class: "dwo-change", "data-testid": "activity-change" });
  const fill = h("i", { class: "dwo-now" });
  const bar = h("span", { class: "dwo-track" }, h("i", { class: "dwo-before dwo-whole" }), fill);
  const rank = h("p", { class: "dwo-dim", "data-testid": "unit-words" });
  const caption = h("div", { class: "dwo-cap" }, h("h3", {}, "Feature map"), h("span", {}, "of this image, with the patches"));
  const image = h("div", { class: "dwo-unit-map" }, canvas, scale, h("div", { class: "dwo-ends" }, least, most));
  const numbers = h("p", { class: "dwo-large" }, before, " → ", now, " ", change);
  const facts = h("div", { class: "dwo-facts" }, h("span", { class: "dwo-dim" }, "total activity"), numbers, bar, rank);
  const parts = [caption, ...choice.elements, h("div", { class: "dwo-unit" }, image, facts)];
  const element = h("section", { class: "dwo-part", "aria-label": "Feature map" }, ...parts);

  /** Show the values with the patches. */
  const draw = ({ activity, values, shape }: FeatureMapValues) => {
    if (!scene) return;
    drawValues(canvas, values, shape[0], shape[1], scene.range);
    setText(now, formatNumber(activity));
    const share = scene.activity > 0 ? activity / scene.activity : 0;
    fill.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
    const percent = scene.activity > 0 ? Math.round(100 * (share - 1)) : 0;
    setText(change, percent === 0 ? "" : percent > 0 ? `+${percent}%` : `−${-percent}%`);
    change.dataset.less = String(percent < 0);
  };

  const update = (shown: Scene | null, layers: LayerInfo[], { unit }: OcclusionState) => {
    choice.offer(layers);
    const isAutomatic = unit === null;
    if (!shown || (shown === scene && automatic === isAutomatic)) return;
    scene = shown;
    automatic = isAutomatic;
    choice.show(shown, isAutomatic);
    const { request, strongest, map_shape: shape, range } = shown;
    setText(before, formatNumber(shown.activity));
    setText(least, formatNumber(range[0]));
    setText(most, formatNumber(range[1]));
    const longer = Math.max(...shape);
    canvas.style.height = `${(SIDE * shape[0]) / longer}px`;
    canvas.style.width = `${(SIDE * shape[1]) / longer}px`;
    canvas.setAttribute("aria-label", `Feature map ${request.unit} of ${request.layer}`);
    const place = strongest.indexOf(request.unit) + 1;
    setText(rank, place ? `Rank ${place} of the feature maps of ${request.layer} in this image, by total activity.` : "");
  };
  return { element, update, draw };
}
