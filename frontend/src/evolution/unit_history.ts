/** A unit through the training: its strongest activation by checkpoint, and how many of its final nine it had already. */
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import { linePath } from "../ui/line_plot.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";
import { endsFirst } from "./curves.ts";
import { fitting } from "./epoch_chart.ts";
import { describeJumps } from "./texts.ts";
import type { Column, Count, History } from "./wire.ts";

const HEIGHT = 96;
const [TOP, BOTTOM, SIDE] = [24, 22, 20];
const VALUE_ROOM = 34; // width of a number
const MAX_BARS = 12;

export function createUnitHistory(pick: (epoch: number) => void) {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("role", "img");
  const chart = h("div", { class: "dwv-history-chart", style: `height:${HEIGHT}px`, "data-testid": "history" }, drawing);
  const title = h("div", { class: "dwx-part-caption" }, "Strongest activation by checkpoint (ring: a jump)");
  const finalTitle = h("div", { class: "dwx-part-caption" });
  const bars = h("div", { class: "dwv-final", "data-testid": "final" });
  const jumps = h("p", { class: "dwv-jumps", "data-testid": "jumps" });
  const chartPart = h("div", {}, title, chart);
  const finalPart = h("div", {}, finalTitle, bars);
  const element = h("div", { class: "dwv-history" }, chartPart, finalPart, jumps);
  let content: { history: History; epoch: number; unit: Count } | null = null;
  const observer = new ResizeObserver(() => drawChart());
  observer.observe(chart);

  const drawChart = () => {
    const width = chart.clientWidth;
    if (!content || width < 80) return;
    const { history, epoch, unit } = content;
    const { epochs, values, changed } = history;
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    drawing.setAttribute(
      "aria-label",
      `Strongest activation by checkpoint: ${epochs.map((at, index) => `${unit} ${at} ${formatNumber(values[index])}`).join(", ")}`,
    );
    const most = Math.max(...values, 1e-9);
    const step = epochs.length > 1 ? (width - 2 * SIDE) / (epochs.length - 1) : 0;
    const toX = (index: number) => (epochs.length > 1 ? SIDE + index * step : width / 2);
    const toY = (value: number) => HEIGHT - BOTTOM - (Math.max(0, value) / most) * (HEIGHT - TOP - BOTTOM);
    const indices = epochs.map((_, index) => index);
    const spaced = indices.filter((index) => step >= VALUE_ROOM || epochs[index] === epoch || index === 0 || index === indices.length - 1);
    const labelled = fitting(endsFirst(epochs), (at) => toX(epochs.indexOf(at)));
    const at = epochs.indexOf(epoch);
    drawing.replaceChildren(
      svg("line", { class: "dwv-grid-line", x1: 0, x2: width, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
      svg("path", { class: "dwv-curve", d: linePath(indices, values, toX, toY) }),
      ...labelled.map((value) => svg("text", { x: toX(epochs.indexOf(value)), y: HEIGHT - 6, "text-anchor": "middle" }, String(value))),
      ...spaced
        .filter((index) => index === at || Math.abs(toX(index) - toX(at)) >= VALUE_ROOM || at < 0)
        .map((index) =>
          svg("text", { x: toX(index), y: toY(values[index] ?? 0) - 9, "text-anchor": "middle" }, formatNumber(values[index])),
        ),
      ...(at < 0 ? [] : [svg("circle", { class: "dwv-halo", cx: toX(at), cy: toY(values[at] ?? 0), r: 9 })]),
      ...indices.map((index) => {
        const name = `${unit} ${epochs[index]}: ${formatNumber(values[index])}${changed[index] ? ", another image became the strongest" : ""}`;
        const kind = `dwv-dot${changed[index] ? " dwv-ring" : ""}`;
        const dot = svg("circle", { class: kind, cx: toX(index), cy: toY(values[index] ?? 0), r: 3.8 }, svg("title", {}, name));
        dot.addEventListener("click", () => pick(epochs[index] ?? 0));
        return dot;
      }),
    );
  };

  const drawBars = ({ epochs, final, final_of: of }: History, epoch: number, unit: Count) => {
    finalPart.hidden = of === 0 || epochs.length < 2;
    setText(finalTitle, `In its top ${of} already, of those at ${unit} ${epochs.at(-1)}`);
    const step = Math.ceil(epochs.length / MAX_BARS);
    const shown = epochs
      .map((_, index) => index)
      .filter((index) => index % step === 0 || index === epochs.length - 1 || epochs[index] === epoch);
    bars.replaceChildren(
      ...shown.map((index) => {
        const at = epochs[index] ?? 0;
        const track = h("span", { class: "dwx-track" }, h("i", { style: `width:${(100 * (final[index] ?? 0)) / Math.max(1, of)}%` }));
        const properties = { class: `dwv-final-row${at === epoch ? " dwv-now" : ""}`, onclick: () => pick(at) };
        return h("div", properties, h("span", {}, `${unit} ${at}`), track, h("span", { class: "dwx-number" }, String(final[index] ?? 0)));
      }),
    );
  };

  const update = (history: History | undefined, { epoch, unit }: Pick<Column, "epoch" | "unit">) => {
    element.hidden = !history || history.epochs.length < 2;
    if (!history) return;
    if (content?.history === history && content.epoch === epoch) return;
    content = { history, epoch, unit };
    chartPart.hidden = history.epochs.length < 2 || history.values.every((value) => !(value > 0));
    drawChart();
    drawBars(history, epoch, unit);
    setText(jumps, describeJumps(history, unit));
  };
  return { element, update, close: () => observer.disconnect() };
}
