import { drawValues, GRADIENTS } from "../ui/colormap.ts";
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { FeatureMapValues } from "./patch_editor.ts";
import type { Scene } from "./store.ts";
import type { LayerInfo, OcclusionState } from "./wire.ts";

const SUGGESTIONS = 6;
const SIDE = 104; // CSS pixels of the longer side; the stylesheet has the same value

/** Create buttons that select one of the image's strongest feature maps, or always the strongest. */
function createSuggestions({ pick }: { pick: (unit: number | null) => void }) {
  const createChip = (text: string, title: string, unit: number | null) => {
    const properties = { type: "button", class: "dwo-chip", title, "data-testid": `unit-${unit ?? "auto"}`, onclick: () => pick(unit) };
    return h("button", properties, text);
  };
  const autoButton = createChip("Strongest", "Always the strongest feature map of the layer, in each image", null);
  const list = h("span", { class: "dwo-chips" });
  const properties = { role: "group", "aria-label": "Strongest feature maps of this image", "data-testid": "strongest" };
  const element = h(
    "div",
    { class: "dwo-row dwo-strongest", ...properties },
    h("span", { class: "dwo-dim", title: "The feature maps with the largest total activity in this image" }, "top 6:"),
    list,
  );

  const update = (strongest: number[], unit: number, isAuto: boolean) => {
    autoButton.setAttribute("aria-pressed", String(isAuto));
    const chips = strongest.slice(0, SUGGESTIONS).map((candidate) => {
      const chip = createChip(String(candidate), `Feature map ${candidate}, one of the strongest of this image`, candidate);
      chip.setAttribute("aria-pressed", String(!isAuto && candidate === unit));
      return chip;
    });
    list.replaceChildren(...chips);
  };
  return { autoButton, element, update };
}

/** Create the controls to select the layer and the feature map. */
function createUnitChoice({ set }: { set: (patch: Partial<OcclusionState>) => void }) {
  let layers: LayerInfo[] = [];
  let displayed: Scene | null = null;
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
    if (displayed) unit.value = String(displayed.request.unit);
  };
  const pick = (candidate: number | null) => {
    if (!displayed) return;
    restore();
    set({ layer: displayed.request.layer, unit: candidate });
  };
  const suggestions = createSuggestions({ pick });
  const row = h("div", { class: "dwo-row" }, layer, h("span", { class: "dwo-dim" }, "number"), unit, suggestions.autoButton);

  const updateLayers = (newLayers: LayerInfo[]) => {
    if (newLayers === layers) return;
    layers = newLayers;
    layer.replaceChildren(...newLayers.map(({ id, channels }) => h("option", { value: id, title: `${channels} feature maps` }, id)));
    if (displayed) layer.value = displayed.request.layer;
  };
  const show = (scene: Scene, isAuto: boolean) => {
    displayed = scene;
    layer.value = scene.request.layer;
    unit.max = String(lastUnit());
    restore();
    suggestions.update(scene.strongest, scene.request.unit, isAuto);
  };
  return { elements: [row, suggestions.element, error], updateLayers, show };
}

/** Create the view of the feature map: its values as colours, and its total activity without and with the patches. */
export function createFeatureMap({ set }: { set: (patch: Partial<OcclusionState>) => void }) {
  let scene: Scene | null = null;
  let wasAuto: boolean | null = null;
  const choice = createUnitChoice({ set });
  const canvas = h("canvas", { class: "dwo-pixelated", "data-testid": "unit-map", role: "img" });
  const scale = h("i", { class: "dwo-scale" });
  scale.style.background = GRADIENTS.viridis;
  const [lowLabel, highLabel] = [h("span", { "data-testid": "unit-least" }), h("span", {})];
  const before = h("span", { "data-testid": "activity-before" });
  const now = h("b", { "data-testid": "activity-now" });
  const change = h("span", { class: "dwo-change", "data-testid": "activity-change" });
  const fill = h("i", { class: "dwo-now" });
  const bar = h("span", { class: "dwo-track" }, h("i", { class: "dwo-before dwo-full" }), fill);
  const rankText = h("p", { class: "dwo-dim", "data-testid": "unit-words" });
  const caption = h("div", { class: "dwo-part-caption" }, h("h3", {}, "Feature map"), h("span", {}, "of this image, with the patches"));
  const image = h("div", { class: "dwo-unit-map" }, canvas, scale, h("div", { class: "dwo-scale-labels" }, lowLabel, highLabel));
  const numbers = h("p", { class: "dwo-large" }, before, " → ", now, " ", change);
  const facts = h(
    "div",
    { class: "dwo-facts" },
    h("span", { class: "dwo-dim" }, "total activity, without → with the patches"),
    numbers,
    bar,
    rankText,
  );
  const parts = [caption, ...choice.elements, h("div", { class: "dwo-unit" }, image, facts)];
  const element = h("section", { class: "dwo-part", "aria-label": "Feature map" }, ...parts);

  /** Draw the values with the patches. */
  const draw = ({ activity, values, shape }: FeatureMapValues) => {
    if (!scene) return;
    drawValues(canvas, values, shape[0], shape[1], scene.range);
    setText(now, formatNumber(activity));
    const fraction = scene.activity > 0 ? activity / scene.activity : 0;
    fill.style.width = `${100 * Math.min(1, Math.max(0, fraction))}%`;
    const percent = scene.activity > 0 ? Math.round(100 * (fraction - 1)) : 0;
    setText(change, percent === 0 ? "" : percent > 0 ? `+${percent}%` : `−${-percent}%`);
    change.dataset.less = String(percent < 0);
  };

  const update = (newScene: Scene | null, layers: LayerInfo[], { unit }: OcclusionState) => {
    choice.updateLayers(layers);
    const isAuto = unit === null;
    if (!newScene || (newScene === scene && wasAuto === isAuto)) return;
    scene = newScene;
    wasAuto = isAuto;
    choice.show(newScene, isAuto);
    const { request, strongest, map_shape: shape, range } = newScene;
    setText(before, formatNumber(newScene.activity));
    setText(lowLabel, formatNumber(range[0]));
    setText(highLabel, formatNumber(range[1]));
    const longer = Math.max(...shape);
    canvas.style.height = `${(SIDE * shape[0]) / longer}px`;
    canvas.style.width = `${(SIDE * shape[1]) / longer}px`;
    canvas.setAttribute("aria-label", `Feature map ${request.unit} of ${request.layer}`);
    const rankNumber = strongest.indexOf(request.unit) + 1;
    setText(rankText, rankNumber ? `Rank ${rankNumber} of the feature maps of ${request.layer} in this image, by total activity.` : "");
  };
  return { element, update, draw };
}
