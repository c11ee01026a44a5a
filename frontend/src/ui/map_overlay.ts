/** A photograph with a feature map over it, the frames of the receptive field and of the model's input, and a colour scale. */
import { resizeBilinear } from "./bilinear.ts";
import { drawValues, GRADIENTS } from "./colormap.ts";
import { context2d, h, setText } from "./dom.ts";
import { formatNumber } from "./format.ts";

const LONGER_SIDE = 384; // pixels of the interpolated map
/** Boxes are [left, top, right, bottom] as fractions of the photograph's width and height. */
export interface MappedPhotograph {
  bitmap: ImageBitmap;
  width: number;
  height: number;
  /** The receptive field. */
  box: number[] | null;
  /** The model's input. Null: the whole photograph. */
  crop: number[] | null;
}

export interface FeatureMap {
  values: Float32Array;
  rows: number;
  cols: number;
  /** The area that the map covers, as fractions of the model's input. */
  extent: number[];
}

/** Place an element at a box of fractions of its parent. */
export function placeBox(element: HTMLElement, [left = 0, top = 0, right = 1, bottom = 1]: number[]): void {
  const percent = (fraction: number) => `${100 * fraction}%`;
  Object.assign(element.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
}

/** Return the range of a colour scale: minimum and maximum of the values, extended to include 0. */
export function mapRange(values: Float32Array): [number, number] {
  const low = values.reduce((minimum, value) => Math.min(minimum, value), 0);
  const high = values.reduce((maximum, value) => Math.max(maximum, value), 0);
  return [low, low === high ? 1 : high];
}

/** Return whether a crop is the whole photograph. */
export function isWhole(crop: number[] | null): boolean {
  return !crop || crop.every((fraction, at) => (at < 2 ? fraction <= 0.001 : fraction >= 0.999));
}

/** Create the legend of the two frames. */
export function createFrameLegend() {
  const crop = h("span", {}, h("i", { class: "dwx-key-dashed" }), "model's input");
  const element = h("div", { class: "dwx-frame-legend" }, h("span", {}, h("i", { class: "dwx-key-solid" }), "receptive field"), crop);
  const update = (isCropped: boolean) => {
    crop.hidden = !isCropped;
  };
  return { element, update };
}

export function createMapOverlay(testid: string) {
  const photograph = h("canvas", { role: "img", "aria-label": "Photograph", "data-testid": `${testid}-photograph` });
  const map = h("canvas", { class: "dwx-map-values", "data-testid": `${testid}-map` });
  const input = h("div", { class: "dwx-map-input" }, map);
  const [box, crop] = [h("div", { class: "dwx-field-frame" }), h("div", { class: "dwx-crop" })];
  const frame = h("div", { class: "dwx-map-frame" }, photograph, input, crop, box);
  const [low, high] = [h("span", {}), h("span", { "data-testid": `${testid}-maximum` })];
  const reading = h("output", { class: "dwx-map-reading" });
  const bar = h("i", { class: "dwx-map-bar" });
  bar.style.background = GRADIENTS.viridis;
  const scale = h("div", { class: "dwx-map-scale" }, low, bar, high);
  const legend = createFrameLegend();
  let shown: FeatureMap | undefined;
  let drawn: MappedPhotograph | undefined;

  frame.addEventListener("pointermove", ({ clientX, clientY }) => {
    const { left, top, width, height } = map.getBoundingClientRect();
    if (!shown || !width) return;
    const [column, row] = [Math.floor(((clientX - left) / width) * shown.cols), Math.floor(((clientY - top) / height) * shown.rows)];
    const isInside = row >= 0 && column >= 0 && row < shown.rows && column < shown.cols;
    setText(reading, isInside ? `row ${row}, column ${column}: ${formatNumber(shown.values[row * shown.cols + column])}` : "");
  });
  frame.addEventListener("pointerleave", () => setText(reading, ""));

  const drawMap = (content: FeatureMap) => {
    const { values, rows, cols, extent } = content;
    const scaling = LONGER_SIDE / Math.max(rows, cols);
    const [height, width] = [Math.max(1, Math.round(rows * scaling)), Math.max(1, Math.round(cols * scaling))];
    const range = mapRange(values);
    drawValues(map, resizeBilinear(values, rows, cols, height, width), height, width, range);
    placeBox(map, extent);
    setText(low, formatNumber(range[0]));
    setText(high, `${formatNumber(range[1])} maximum`);
  };

  /** @param opacity of the map, from 0 to 1; the photograph below it loses its colours */
  const setOpacity = (opacity: number) => {
    map.style.opacity = String(opacity);
    photograph.style.filter = opacity > 0 ? `grayscale(${Math.min(1, 2 * opacity)})` : "";
  };

  const update = (source: MappedPhotograph | undefined, content: FeatureMap | undefined, name: string) => {
    frame.dataset.ready = String(Boolean(source && content));
    scale.dataset.ready = frame.dataset.ready;
    if (source && source !== drawn) {
      drawn = source; // not the name: different photographs may have the same
      const { bitmap, width, height } = source;
      Object.assign(photograph, { width: bitmap.width, height: bitmap.height });
      context2d(photograph).drawImage(bitmap, 0, 0);
      frame.style.aspectRatio = `${width} / ${height}`;
      frame.style.width = `min(100%, calc(var(--dwx-side) * ${width / height}))`;
      photograph.setAttribute("aria-label", `Photograph ${name} with the feature map`);
      box.hidden = !source.box;
      if (source.box) placeBox(box, source.box);
      crop.hidden = isWhole(source.crop);
      placeBox(crop, source.crop ?? []);
      placeBox(input, source.crop ?? []);
      legend.update(!crop.hidden);
    }
    map.hidden = !content;
    if (content && content !== shown) drawMap(content);
    shown = content;
  };
  return { frame, scale, reading, legend: legend.element, update, setOpacity };
}
