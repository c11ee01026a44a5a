/** A plot of lines and points on one axis, drawn at once by the page itself: a chart of Plotly needs seconds to load. */
import { h } from "./dom.ts";
import { percentScale, type Scale } from "./scales.ts";
import { createDrawing, elementFactory } from "./svg.ts";

/** Values that are null break a line. */
export interface PlotLine {
  x: number[];
  y: (number | null)[];
  className: string;
}

export interface PlotContent {
  lines: PlotLine[];
  points: { x: number; y: number; title: string; className: string }[];
  /** Horizontal lines with a text. */
  rules: { y: number; text: string }[];
  maxX: number;
  /** The start of the horizontal axis; 0 by default. */
  minX?: number;
  /** What is written below it; round numbers by default. */
  xTicks?: { x: number; text: string }[];
  /** The vertical axis; percentages from 0 to 100 by default. */
  scale?: Scale;
  /** Vertical lines, and triangles on the axis. */
  marks?: { x: number; title: string; kind: "line" | "triangle" }[];
  /** Where the values are read: a vertical line with a dot on each line that has a value there. */
  cursor?: number | null;
}

const MARGIN = { left: 44, right: 14, top: 12, bottom: 38 };
const PERCENT = percentScale();
const TRIANGLE = 4; // half of its width
const X_TICKS = 5; // about

/** Return round numbers from 0 to `max`. */
export function ticks(max: number, count = X_TICKS): number[] {
  if (!(max > 0)) return [];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, (([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power) as number);
  return Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, index) => index * step);
}

/** Return the path of a line; null values break it. */
export function linePath(x: number[], y: (number | null)[], toX: (value: number) => number, toY: (value: number) => number | null): string {
  let path = "";
  let pen = "M";
  x.forEach((value, index) => {
    const given = y[index];
    const height = given === null || given === undefined ? null : toY(given);
    if (height === null) pen = "M";
    else {
      path += `${pen}${toX(value).toFixed(1)} ${height.toFixed(1)}`;
      pen = "L";
    }
  });
  return path;
}

/** Return a triangle that stands below a point of the axis. */
function trianglePath(x: number, y: number): string {
  return `M${x} ${y}l${TRIANGLE} ${1.6 * TRIANGLE}h${-2 * TRIANGLE}z`;
}

/**
 * Create a plot of lines and points. It is as large as its nearest positioned ancestor.
 * @param label the accessible name
 * @param hover called with the integer on the x axis under the pointer; null when the pointer leaves
 * @param drag called with the place on the x axis, which need not be an integer, that is pressed or dragged to
 */
export function createLinePlot({
  label,
  xTitle,
  yTitle,
  hover = () => {},
  drag,
}: {
  label: string;
  xTitle: string;
  yTitle: string;
  hover?: (x: number | null) => void;
  drag?: (x: number) => void;
}) {
  let content: PlotContent | null = null;
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", label);
  const element = h("div", { class: "dwx-plot", "data-testid": "plot" }, drawing);
  const observer = new ResizeObserver(() => draw());
  observer.observe(element);

  const scales = () => {
    const [width, height] = [element.clientWidth, element.clientHeight];
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    const minX = content?.minX ?? 0;
    const maxX = content?.minX === undefined ? Math.max(1, content?.maxX ?? 1) : content.maxX;
    const toX = (value: number) => MARGIN.left + ((value - minX) / (maxX - minX || 1)) * (right - MARGIN.left);
    const scale = content?.scale ?? PERCENT;
    const toY = (value: number) => {
      const height = scale.height(value);
      return height === null ? null : bottom - height * (bottom - MARGIN.top);
    };
    return { width, height, right, bottom, toX, toY, minX, maxX, scale };
  };

  const drawAxes = ({ right, bottom, toX, toY, scale }: ReturnType<typeof scales>, { maxX, xTicks }: PlotContent) => {
    const grid = scale.ticks.flatMap(({ value, text }) => {
      const y = toY(value) ?? bottom;
      return [
        svg("line", { class: "dwx-plot-grid", x1: MARGIN.left, x2: right, y1: y, y2: y }),
        svg("text", { x: MARGIN.left - 7, y: y + 4, "text-anchor": "end" }, text),
      ];
    });
    const labels = xTicks ?? ticks(maxX).map((x) => ({ x, text: String(x) }));
    const below = labels.map(({ x, text }) => svg("text", { x: toX(x), y: bottom + 16, "text-anchor": "middle" }, text));
    const middle = (MARGIN.top + bottom) / 2;
    const titles = [
      svg("text", { x: (MARGIN.left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, xTitle),
      svg("text", { transform: `translate(10 ${middle}) rotate(-90)`, "text-anchor": "middle" }, yTitle),
    ];
    return [...grid, ...below, ...titles];
  };

  const drawMarks = ({ bottom, toX }: ReturnType<typeof scales>, { marks = [] }: PlotContent) =>
    marks.map(({ x, title, kind }) => {
      const place = toX(x);
      const shape =
        kind === "line"
          ? svg("line", { class: "dwx-plot-rule", x1: place, x2: place, y1: MARGIN.top, y2: bottom }, svg("title", {}, title))
          : svg("path", { class: "dwx-plot-triangle", d: trianglePath(place, bottom) }, svg("title", {}, title));
      return shape;
    });

  const drawCursor = ({ bottom, toX, toY }: ReturnType<typeof scales>, { cursor, lines }: PlotContent) => {
    if (cursor === null || cursor === undefined) return [];
    const place = toX(cursor);
    const dots = lines.flatMap(({ x, y, className }) => {
      const value = y[x.indexOf(cursor)];
      const height = value === null || value === undefined ? null : toY(value);
      return height === null ? [] : [svg("circle", { class: `dwx-plot-point ${className}`, cx: place, cy: height, r: 3.5 })];
    });
    return [svg("line", { class: "dwx-plot-cursor", x1: place, x2: place, y1: MARGIN.top, y2: bottom }), ...dots];
  };

  const draw = () => {
    const sizes = scales();
    if (!content || sizes.width < 80 || sizes.height < 80) return; // hidden; the observer reports when it is shown
    const { right, toX, toY } = sizes;
    drawing.setAttribute("viewBox", `0 0 ${sizes.width} ${sizes.height}`);
    const rules = content.rules.flatMap(({ y, text }) => {
      const height = toY(y);
      if (height === null || height < MARGIN.top || height > sizes.bottom) return [];
      return [
        svg("line", { class: "dwx-plot-rule", x1: MARGIN.left, x2: right, y1: height, y2: height }),
        svg("text", { x: right, y: height - 5, "text-anchor": "end" }, text),
      ];
    });
    const lines = content.lines.map(({ x, y, className }) =>
      svg("path", { class: `dwx-plot-line ${className}`, d: linePath(x, y, toX, toY) }),
    );
    const points = content.points.flatMap(({ x, y, title, className }) => {
      const height = toY(y);
      if (height === null) return [];
      return [svg("circle", { class: `dwx-plot-point ${className}`, cx: toX(x), cy: height, r: 4.5 }, svg("title", {}, title))];
    });
    const below = [...drawAxes(sizes, content), ...rules, ...drawMarks(sizes, content)];
    drawing.replaceChildren(...below, ...lines, ...points, ...drawCursor(sizes, content));
  };

  const update = (newContent: PlotContent) => {
    content = newContent;
    draw();
  };
  const xAt = (event: PointerEvent) => {
    const { left, width } = element.getBoundingClientRect();
    const { right, minX, maxX, width: ownWidth } = scales();
    const x = ((event.clientX - left) / width) * ownWidth; // the plot may be magnified
    return minX + Math.min(1, Math.max(0, (x - MARGIN.left) / (right - MARGIN.left))) * (maxX - minX);
  };
  element.addEventListener("pointermove", (event) => {
    hover(Math.round(xAt(event)));
    if (event.buttons & 1) drag?.(xAt(event));
  });
  element.addEventListener("pointerdown", (event) => {
    if (!drag || event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    drag(xAt(event));
  });
  element.addEventListener("pointerleave", () => hover(null));
  return { element, update, close: () => observer.disconnect() };
}
