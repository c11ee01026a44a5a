/** A chart of curves over epochs: names and numbers at both ends, and the current epoch as a line. A click moves the epoch. */
import { h } from "../ui/dom.ts";
import { formatFixed } from "../ui/format.ts";
import { linePath } from "../ui/line_plot.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";

export interface Curve {
  x: number[];
  y: (number | null)[];
  /** Its scale: that of the left axis, or shares from 0 to 1 over the whole height. */
  share?: boolean;
  className: string;
  /** From 0 to 1. */
  strength: number;
  /** Whether to mark the points. */
  points: boolean;
  name: string;
  /** The number at the left end. */
  first?: string;
  /** The text at the right end. */
  last?: string;
  /** The value at which it stands. */
  lastY?: number | null;
}

export interface EpochChartContent {
  curves: Curve[];
  /** The values of the left axis. */
  ticks: number[];
  maxY: number;
  /** Labelled epochs, most important first. */
  epochs: number[];
  /** The first and the last epoch. */
  range: [first: number, last: number];
  current: number | null;
  /** Vertical lines with a text. */
  marks: { x: number; text: string }[];
}

const LINE = 12.5; // height of a text
const [TOP, BOTTOM] = [8, 20];
const TEXT = 6.2; // width of a letter, about

/** Move texts apart vertically: return their positions, at least `LINE` apart, from `top` to `bottom`. */
export function spread(positions: readonly number[], top: number, bottom: number, step = LINE): number[] {
  const order = positions.map((_, index) => index).sort((a, b) => (positions[a] ?? 0) - (positions[b] ?? 0) || a - b);
  const placed = [...positions];
  let limit = top;
  for (const index of order) {
    placed[index] = Math.max(limit, placed[index] ?? 0);
    limit = (placed[index] ?? 0) + step;
  }
  limit = bottom;
  for (const index of [...order].reverse()) {
    placed[index] = Math.min(limit, placed[index] ?? 0);
    limit = (placed[index] ?? 0) - step;
  }
  return placed;
}

/** Return those of the labels that do not overlap, the first ones first. */
export function fitting(epochs: readonly number[], toX: (epoch: number) => number): number[] {
  const shown: number[] = [];
  const half = (epoch: number) => (String(epoch).length * TEXT) / 2 + 3;
  for (const epoch of epochs) {
    if (shown.every((other) => Math.abs(toX(other) - toX(epoch)) > half(other) + half(epoch))) shown.push(epoch);
  }
  return shown;
}

/** Return the places of the marks whose texts do not overlap one before, nor what stands right of the plot. */
export function namedMarks(marks: readonly { x: number; text: string }[], toX: (epoch: number) => number, right: number): Set<number> {
  const shown = new Set<number>();
  let limit = Number.NEGATIVE_INFINITY;
  for (const { x, text } of marks) {
    const end = toX(x) + 3 + text.length * TEXT;
    if (toX(x) < limit || end > right) continue;
    shown.add(x);
    limit = end;
  }
  return shown;
}

/** @param pick called with an epoch, which need not be one of the checkpoints */
export function createEpochChart({ label, testid, pick }: { label: string; testid: string; pick: (epoch: number) => void }) {
  let content: EpochChartContent | null = null;
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", label);
  const element = h("div", { class: "dwv-chart", "data-testid": testid }, drawing);
  const observer = new ResizeObserver(() => draw());
  observer.observe(element);

  const scales = (shown: EpochChartContent) => {
    const [width, height] = [element.clientWidth, element.clientHeight];
    const named = shown.curves.some(({ first }) => first !== undefined);
    const name = Math.max(0, ...shown.curves.map((curve) => curve.name.length + (curve.first?.length ?? 0) + 2));
    const left = (named ? Math.min(name * TEXT, 0.3 * width) : 0) + 32;
    const right = width - Math.max(10, ...shown.curves.map(({ last }) => (last?.length ?? 0) * TEXT + 12));
    const [first, last] = shown.range;
    const toX = (epoch: number) => (last > first ? left + ((epoch - first) / (last - first)) * (right - left) : (left + right) / 2);
    const bottom = height - BOTTOM;
    const toY = (value: number, max = shown.maxY) => bottom - (Math.min(max, value) / (max || 1)) * (bottom - TOP);
    return { width, height, left, right, bottom, toX, toY, first, last };
  };
  type Scales = ReturnType<typeof scales>;

  const drawAxes = ({ left, right, bottom, toX, toY }: Scales, { ticks, epochs, marks }: EpochChartContent) => {
    const named = namedMarks(marks, toX, right);
    return [
      ...ticks.flatMap((value) => [
        svg("line", { class: "dwv-grid-line", x1: left, x2: right, y1: toY(value), y2: toY(value) }),
        svg("text", { x: left - 7, y: toY(value) + 4, "text-anchor": "end" }, String(value)),
      ]),
      ...fitting(epochs, toX).map((epoch) => svg("text", { x: toX(epoch), y: bottom + 15, "text-anchor": "middle" }, String(epoch))),
      ...marks.flatMap(({ x, text }) => [
        svg("line", { class: "dwv-mark", x1: toX(x), x2: toX(x), y1: TOP - 4, y2: bottom }, svg("title", {}, `${text}, epoch ${x}`)),
        ...(named.has(x) ? [svg("text", { x: toX(x) + 3, y: TOP + 4 }, text)] : []),
      ]),
    ];
  };

  const drawCurve = (curve: Curve, { toX, toY }: Scales, current: number | null) => {
    const y = (value: number) => toY(value, curve.share ? 1 : undefined);
    const style = `opacity:${curve.strength}`;
    const path = svg("path", { class: `dwv-curve ${curve.className}`, style, d: linePath(curve.x, curve.y, toX, y) });
    const points = curve.x.flatMap((epoch, index) => {
      const value = curve.y[index];
      if (!curve.points || value === null || value === undefined) return [];
      const title = svg("title", {}, `${curve.name}, epoch ${epoch}: ${formatFixed(value, 2)}`);
      return [svg("circle", { class: "dwv-point", style, cx: toX(epoch), cy: y(value), r: epoch === current ? 3.6 : 2.2 }, title)];
    });
    return [path, ...points];
  };

  const drawEnds = (curves: Curve[], { left, right, bottom, toY }: Scales) => {
    const at = (value: number | null | undefined, share: boolean | undefined) => toY(value ?? 0, share ? 1 : undefined);
    const starts = curves.filter(({ first }) => first !== undefined);
    const firsts = spread(
      starts.map((curve) => at(curve.y[0], curve.share)),
      TOP,
      bottom - 2,
    );
    const ends = curves.filter(({ last }) => last);
    const lasts = spread(
      ends.map((curve) => at(curve.lastY, curve.share)),
      TOP,
      bottom - 2,
    );
    const room = Math.floor((left - 32) / TEXT);
    return [
      ...starts.map((curve, index) => {
        const short = shorten(curve.name, room - (curve.first?.length ?? 0) - 1);
        const name = svg("tspan", { class: "dwv-name" }, short);
        return svg("text", { x: 0, y: (firsts[index] ?? 0) + 4 }, name, ` ${curve.first ?? ""}`, svg("title", {}, curve.name));
      }),
      ...ends.map((curve, index) => svg("text", { x: right + 8, y: (lasts[index] ?? 0) + 4 }, curve.last ?? "")),
    ];
  };

  const draw = () => {
    if (!content || element.clientWidth < 80 || element.clientHeight < 50) return; // hidden; the observer reports when it is shown
    const sizes = scales(content);
    const { toX, bottom } = sizes;
    drawing.setAttribute("viewBox", `0 0 ${sizes.width} ${sizes.height}`);
    const { current, curves, range } = content;
    const inside = current !== null && current >= range[0] && current <= range[1];
    const line = inside ? [svg("line", { class: "dwv-current", x1: toX(current), x2: toX(current), y1: TOP - 5, y2: bottom })] : [];
    const lines = curves.flatMap((curve) => drawCurve(curve, sizes, current));
    drawing.replaceChildren(...drawAxes(sizes, content), ...line, ...lines, ...drawEnds(curves, sizes));
  };

  const epochAt = (event: PointerEvent) => {
    if (!content) return;
    const { left, width } = element.getBoundingClientRect();
    const { toX, first, last, width: own } = scales(content);
    const share = (((event.clientX - left) / width) * own - toX(first)) / Math.max(1, toX(last) - toX(first)); // it may be magnified
    pick(first + Math.min(1, Math.max(0, share)) * (last - first));
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    epochAt(event);
  });
  element.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) epochAt(event);
  });
  const update = (newContent: EpochChartContent) => {
    content = newContent;
    draw();
  };
  return { element, update, close: () => observer.disconnect() };
}

function shorten(text: string, length: number): string {
  return text.length <= length || length < 4 ? text : `…${text.slice(1 - length)}`;
}
