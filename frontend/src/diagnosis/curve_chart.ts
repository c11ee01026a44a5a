/** The curves of one arm: the change of each layer, and of the class's probability, by shift. */
import { h, setText } from "../ui/dom.ts";
import { linePath } from "../ui/line_plot.ts";
import { linearScale } from "../ui/scales.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";
import { comparedLayer, curveClass, labelPlaces, layerOpacity, MANY, namedLayers, nearestLayer } from "./curve_layers.ts";
import { axisTicks, strideMarks } from "./stride_marks.ts";
import type { Arm, Curves } from "./wire.ts";

const HEIGHT = 210;
const MIN_WIDTH = 110;
const HALF_LETTER = 3.4; // CSS pixels: half of the width of a letter of a name
const NAMES_AT = 0.75; // of the shifts: where the names of curves stand
const MARGIN = { left: 34, right: 8, top: 8, bottom: 34 };

export interface CurveContent {
  arm: Arm;
  shown: boolean;
  /** Of the network as it is, to compare with; null for itself. */
  base: Curves | null;
  /** The largest value of all arms, in percent. */
  highest: number;
  /** The shift that is shown, if it is within the curves. */
  cursor: number | null;
  measuring: string;
  /** The layer whose curve is emphasised. */
  emphasised: string | null;
}

/** Return the largest value of some curves, in percent. */
export function highestOf(curves: readonly Curves[]): number {
  const values = curves.flatMap(({ changes, probability }) => [...changes.flat(), ...probability]);
  return 100 * Math.max(0.01, ...values.map((value) => value ?? 0));
}

interface Actions {
  arm: Arm;
  pickArm: () => void;
  pickShift: (shift: number) => void;
  point: (layer: string | null) => void;
}

export function createCurveChart({ arm, pickArm, pickShift, point }: Actions) {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("role", "img");
  const title = h("button", { type: "button", class: "dwn-chart-title", title: arm.steps.join(" "), onclick: pickArm }, arm.label);
  const message = h("p", { class: "dwn-small" });
  const figures = h("p", { class: "dwn-chart-figures" });
  const element = h("figure", { class: "dwn-chart", "data-testid": `curves-${arm.arm}` }, title, drawing, message, figures);
  let drawn = "";
  let shifts: number[] = [];
  let toX = (_: number) => 0;
  let toY = (_: number) => 0;
  let last: CurveContent | null = null;
  let chartWidth = 0;
  const observer = new ResizeObserver(() => last && update(last));
  observer.observe(element);
  const placeOf = (event: MouseEvent) => {
    const { left, top, width, height } = drawing.getBoundingClientRect(); // the chart may be magnified
    return [(event.clientX - left) * (chartWidth / width), (event.clientY - top) * (HEIGHT / height)] as const;
  };
  drawing.addEventListener("pointermove", (event) => {
    const curves = last?.arm.curves;
    if (!curves) return;
    const [x, y] = placeOf(event);
    const perPixel = toX(1) - toX(0);
    point(nearestLayer(curves, (x - toX(0)) / perPixel, y, (share) => toY(100 * share)));
  });
  drawing.addEventListener("pointerleave", () => point(null));
  drawing.addEventListener("click", (event) => {
    const [at] = placeOf(event as MouseEvent);
    const distances = shifts.map((shift) => Math.abs(toX(shift) - at));
    const nearest = shifts[distances.indexOf(Math.min(...distances))];
    if (nearest !== undefined) pickShift(nearest);
  });

  const update = (content: CurveContent) => {
    const { arm: now, shown, measuring } = content;
    element.dataset.shown = String(shown);
    title.setAttribute("aria-pressed", String(shown));
    setText(message, measuring);
    drawing.toggleAttribute("hidden", !now.curves);
    last = content;
    chartWidth = Math.max(MIN_WIDTH, drawing.clientWidth);
    const key = JSON.stringify([now, content.base !== null, content.highest, content.cursor, content.emphasised, chartWidth]);
    if (key === drawn) return;
    drawn = key;
    figures.replaceChildren(...describeFigures(now));
    if (now.curves) draw(now.curves, content);
  };

  const draw = (curves: Curves, { base, highest, cursor, emphasised, arm: now }: CurveContent) => {
    ({ shifts } = curves);
    const scale = linearScale([highest]);
    const furthest = Math.max(1, ...shifts);
    const [right, bottom] = [chartWidth - MARGIN.right, HEIGHT - MARGIN.bottom];
    drawing.setAttribute("viewBox", `0 0 ${chartWidth} ${HEIGHT}`);
    toX = (shift: number) => MARGIN.left + (shift / furthest) * (right - MARGIN.left);
    toY = (value: number) => bottom - (scale.height(value) ?? 0) * (bottom - MARGIN.top);
    const path = (values: (number | null)[]) =>
      linePath(
        shifts,
        values.map((value) => (value === null ? null : 100 * value)),
        toX,
        toY,
      );
    const grid = scale.ticks.flatMap(({ value, text }) => [
      svg("line", { class: "dwn-gridline", x1: MARGIN.left, x2: right, y1: toY(value), y2: toY(value) }),
      svg("text", { x: MARGIN.left - 5, y: toY(value) + 4, "text-anchor": "end" }, `${text}%`),
    ]);
    const marks = strideMarks(curves);
    const ticks = axisTicks(shifts, marks?.stride);
    const below = ticks.map((shift) => svg("text", { x: toX(shift), y: bottom + 15, "text-anchor": "middle" }, String(shift)));
    const strides = drawStrides(marks, right, bottom);
    const compared = base ? comparedLayer(base, emphasised) : -1;
    const asItIs = base?.changes[compared];
    const before = asItIs
      ? [svg("path", { class: "dwn-before", d: path(asItIs) }, svg("title", {}, `${base?.layers[compared]} as it is`))]
      : [];
    const lines = curves.changes.map((values, index) => {
      const strokes = { class: curveClass(index, curves, emphasised), "stroke-opacity": layerOpacity(index, curves.changes.length) };
      const name = curves.layers[index] ?? "";
      return svg("path", { ...strokes, d: path(values), "data-layer": name }, svg("title", {}, name));
    });
    const probability = svg("path", { class: "dwn-curve dwn-harm", d: path(curves.probability) }, svg("title", {}, "Probability"));
    const at = cursor === null ? [] : [svg("line", { class: "dwn-cursor", x1: toX(cursor), x2: toX(cursor), y1: MARGIN.top, y2: bottom })];
    const names = now.parent === null ? curveNames(curves, emphasised) : [];
    drawing.setAttribute("aria-label", describeCurves(now, curves));
    drawing.replaceChildren(...grid, ...below, ...strides, ...before, ...lines, probability, ...at, ...names);
  };

  /** Draw a vertical line at each multiple of a stride, and the stride below the axis. */
  const drawStrides = (marks: ReturnType<typeof strideMarks>, right: number, bottom: number) => {
    if (!marks) return [];
    const title = `Multiples of the stride of ${marks.layer}, ${marks.stride} px`;
    const lines = marks.shifts.map((shift) => {
      const properties = { class: "dwn-stride", x1: toX(shift), x2: toX(shift), y1: MARGIN.top, y2: bottom };
      return svg("line", properties, svg("title", {}, title));
    });
    const name = { class: "dwn-stride-name", x: right, y: HEIGHT - 4, "text-anchor": "end" };
    return [...lines, svg("text", name, svg("title", {}, title), `stride ${marks.stride} px`)];
  };

  const curveNames = (curves: Curves, emphasised: string | null) => {
    const named = namedLayers(curves, emphasised);
    const at = Math.floor(NAMES_AT * (shifts.length - 1));
    const ends = [...named.map((index) => curves.changes[index]), curves.probability].map((values) => {
      const value = values?.[at];
      return value === null || value === undefined ? null : toY(100 * value) - 5;
    });
    const texts = [...named.map((index) => curves.layers[index] ?? ""), "probability"];
    return labelPlaces(ends, 12).flatMap((y, place) => {
      const properties = {
        x: Math.min(toX(shifts[at] ?? 0), chartWidth - HALF_LETTER * (texts[place]?.length ?? 0)),
        y: y ?? 0,
        "text-anchor": "middle",
        class: place === named.length ? "dwn-harm-text" : "dwn-strong",
        "data-emphasised": String(curves.layers[named[place] ?? -1] === emphasised),
      };
      return y === null ? [] : [svg("text", properties, texts[place] ?? "")];
    });
  };
  return { element, update, close: () => observer.disconnect() };
}

/** Return the change of the deepest feature map by one pixel, the accuracy, and what is aliased of the first layer's map. */
function describeFigures({ curves, accuracy, aliasing }: Arm): (Node | string)[] {
  const one = curves?.shifts.indexOf(1) ?? -1;
  const change = one < 0 ? null : (curves?.changes[curves.layers.indexOf(curves.deepest)]?.[one] ?? null);
  const figure = (name: string, share: number) =>
    h("span", { class: "dwn-figure-pair" }, h("span", { class: "dwn-dim" }, `${name} `), h("b", {}, `${(100 * share).toFixed(1)}%`));
  const moved = change === null ? [] : [figure(`${curves?.deepest} at 1 px`, change)];
  const top1 = accuracy ? [figure("top-1", accuracy.top1)] : [];
  const share = aliasing?.mean ?? null;
  const aliased = share === null ? [] : [figure("aliased", share)];
  return [...moved, ...top1, ...aliased].flatMap((one, place) => (place ? [" · ", one] : [one]));
}

function describeCurves({ label }: Arm, curves: Curves): string {
  const { layers, shifts, changes } = curves;
  const at = (index: number) => changes[index]?.at(-1);
  const told = layers.length > MANY ? namedLayers(curves, null) : layers.map((_, index) => index);
  const texts = told.map((index) => `${layers[index]} ${((at(index) ?? 0) * 100).toFixed(1)}%`);
  const marks = strideMarks(curves);
  const marked = marks ? `; the multiples of the stride of ${marks.layer}, ${marks.stride} pixels, are marked` : "";
  return `Change by shift, ${label}: at ${shifts.at(-1)} pixels ${texts.join(", ")}${marked}`;
}
