/** The plot of a difference in a cell of the table: a dot on a common axis, and its confidence interval. */
import { createDrawing, elementFactory } from "../ui/svg.ts";
import type { Difference } from "./wire.ts";

const [WIDTH, HEIGHT, RADIUS] = [120, 18, 4];
const LEAST = 0.01;
const MARGIN = 1.05;

/** Return the difference at the edge of the axis. Intervals that are much wider than all differences are cut off. */
export function scaleOf(differences: Difference[]): number {
  const means = differences.map(({ mean }) => Math.abs(mean));
  const bounds = differences.flatMap(({ interval }) => interval ?? []).map(Math.abs);
  const most = Math.max(0, ...means);
  return MARGIN * Math.max(LEAST, most, Math.min(Math.max(0, ...bounds), 3 * most + 0.02));
}

/** Return the path of an arrow at an end of the axis: the interval goes on there. */
function arrowPath(x: number, left: boolean): string {
  const step = left ? RADIUS : -RADIUS;
  return `M${x + step} ${HEIGHT / 2 - RADIUS}L${x} ${HEIGHT / 2}L${x + step} ${HEIGHT / 2 + RADIUS}`;
}

/** Draw a difference. Whether its interval excludes 0 is told by its class. */
export function drawInterval({ mean, interval }: Difference, scale: number): SVGElement {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  const place = (value: number) => (WIDTH / 2) * (1 + Math.max(-1, Math.min(1, value / scale)) * (1 - (2 * RADIUS) / WIDTH));
  const sure = interval !== null && (interval[0] > 0 || interval[1] < 0);
  drawing.setAttribute("class", `dwa-interval${sure ? " dwa-sure" : ""}`);
  drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  drawing.setAttribute("width", String(WIDTH));
  drawing.setAttribute("height", String(HEIGHT));
  drawing.setAttribute("aria-hidden", "true"); // the numbers stand beside it
  const y = HEIGHT / 2;
  drawing.append(svg("line", { class: "dwa-zero", x1: WIDTH / 2, x2: WIDTH / 2, y1: 0, y2: HEIGHT }));
  if (interval) drawing.append(svg("line", { class: "dwa-bar", x1: place(interval[0]), x2: place(interval[1]), y1: y, y2: y }));
  for (const bound of interval ?? [])
    if (Math.abs(bound) > scale) drawing.append(svg("path", { class: "dwa-cut", d: arrowPath(place(bound), bound < 0) }));
  drawing.append(svg("circle", { cx: place(mean), cy: y, r: RADIUS }));
  return drawing;
}
