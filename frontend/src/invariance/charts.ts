/** A chart of each layer's distances and one of the probability, by amount; a line for each photograph. */
import { h, setText } from "../ui/dom.ts";
import { createLinePlot, type PlotContent } from "../ui/line_plot.ts";
import { formatScore, isValue } from "../ui/quantity.ts";
import { linearScale, percentScale, type Scale } from "../ui/scales.ts";
import { axisTicks, axisTitle, formatAmount, nearest, sliderRange } from "./amounts.ts";
import type { Curves, View } from "./store.ts";
import type { HelloReply, InvarianceState, Transform } from "./wire.ts";

export interface ChartsContent {
  hello: HelloReply;
  state: InvarianceState;
  transform: Transform;
  /** The curves of each photograph of the state; undefined before they are computed. */
  curves: (Curves | undefined)[];
  view: View | undefined;
  /** The first output of the last view: its name stays while another view is computed. */
  lastTarget: string | undefined;
}

interface Part {
  /** What the chart is of, whatever is loaded. */
  name: string;
  title: string;
  /** The values of a photograph, in the order of its amounts. */
  values: (curves: Curves) => (number | null)[] | null | undefined;
  live: number | null;
  scale: (values: number[]) => Scale;
  format: (value: number) => string;
}

export function createCharts({ set }: { set: (patch: Partial<InvarianceState>) => void }) {
  const element = h("div", { class: "dwi-charts", "data-testid": "charts" });
  let charts: ReturnType<typeof createChart>[] = [];
  let transform: Transform | null = null;
  const drag = (amount: number) => transform && set({ transform: transform.name, amount: nearest(transform, amount) });

  const update = (content: ChartsContent) => {
    transform = content.transform;
    const parts = partsOf(content);
    while (charts.length > parts.length) {
      const chart = charts.pop();
      chart?.close();
      chart?.element.remove();
    }
    while (charts.length < parts.length) {
      const chart = createChart(drag);
      charts.push(chart);
      element.append(chart.element);
    }
    element.dataset.count = String(parts.length);
    parts.forEach((part, index) => {
      charts[index]?.update(part, content);
    });
  };
  const close = () => {
    for (const chart of charts) chart.close();
    charts = [];
  };
  return { element, update, close };
}

function partsOf({ hello, state, view, curves, lastTarget }: ChartsContent): Part[] {
  const { measure } = state;
  const name = measure === "relative" ? "relative distance" : "Euclidean distance";
  const parts: Part[] = state.layers.map((layer, index) => ({
    name: `${layer}: ${name}`,
    title: `${layer}: ${name}`,
    values: (one) => one[measure === "relative" ? "relative" : "distances"][index] ?? null,
    live: (measure === "relative" ? view?.relative : view?.distances)?.[index] ?? null,
    scale: linearScale,
    format: (value) => value.toPrecision(3),
  }));
  if (!hello.predicts) return parts;
  const { quantity } = hello.overview;
  const every = curves.every((one) => one?.labelled ?? true);
  const target = view?.classes[0];
  const probability = !isValue(quantity);
  const output = probability ? `probability of the ${every ? "true" : "true or predicted"} class` : "output";
  parts.push({
    name: output,
    title: probability ? output : (lastTarget ?? output),
    values: ({ scores }) => scores?.map((score) => (probability ? 100 * score : score)),
    live: target ? (probability ? 100 : 1) * target.now : null,
    scale: probability ? percentScale : signedScale,
    format: (value) => formatScore(quantity, probability ? value / 100 : value),
  });
  return parts;
}

/** Return an axis around all values: from 0 if none is negative. */
function signedScale(values: number[]): Scale {
  const low = Math.min(0, ...values);
  if (low === 0) return linearScale(values);
  const high = Math.max(0, ...values);
  return {
    height: (value) => (value - low) / (high - low || 1),
    ticks: [low, 0, high].map((value) => ({ value, text: String(Number(value.toPrecision(2))) })),
  };
}

function createChart(drag: (amount: number) => void) {
  const title = h("h3", { class: "dwi-chart-title" });
  const value = h("span", { class: "dwi-chart-value" });
  const holder = h("div", { class: "dwi-plot" });
  const element = h("section", { class: "dwi-chart", "data-testid": "chart" }, h("div", { class: "dwi-chart-head" }, title, value), holder);
  let plot: ReturnType<typeof createLinePlot> | null = null;
  let plotKey = "";

  const update = (part: Part, content: ChartsContent) => {
    const { transform, state } = content;
    setText(title, part.title);
    setText(value, part.live === null ? "" : part.format(part.live));
    const key = `${part.name} ${transform.name}`;
    if (key !== plotKey) {
      plot?.close();
      plot = createLinePlot({
        label: `${part.name}, by ${transform.label.toLowerCase()}`,
        xTitle: axisTitle(transform),
        yTitle: "",
        drag,
      });
      holder.replaceChildren(plot.element);
      plotKey = key;
    }
    plot?.update(plotContent(part, content));
    element.dataset.lines = String(content.curves.filter(Boolean).length);
    element.dataset.amount = String(state.amount);
  };
  return { element, update, close: () => plot?.close() };
}

function plotContent(part: Part, { state, transform, curves }: ChartsContent): PlotContent {
  const { min, max } = sliderRange(transform);
  const values: number[] = part.live === null ? [] : [part.live];
  const lines = curves.flatMap((one, index) => {
    const y = one && part.values(one);
    if (!one || !y) return [];
    values.push(...y.filter((value) => value !== null));
    const order = one.amounts.map((_, place) => place).sort((a, b) => (one.amounts[a] ?? 0) - (one.amounts[b] ?? 0));
    const sorted = <Value>(list: Value[]) => order.map((place) => list[place] as Value);
    const chosen = state.images[index] === state.image ? " dwi-chosen" : "";
    return [{ x: sorted(one.amounts), y: sorted(y), className: `dwi-line dwi-line-${index % 12}${chosen}` }];
  });
  const place = state.images.indexOf(state.image);
  const inside = state.amount >= min && state.amount <= max;
  const title = `${formatAmount(transform, state.amount)}: ${part.live === null ? "" : part.format(part.live)}`;
  const className = `dwi-line-${place % 12}`;
  const points = part.live === null || !inside ? [] : [{ x: state.amount, y: part.live, title, className }];
  return {
    lines: lines.sort((a, b) => Number(a.className.includes("chosen")) - Number(b.className.includes("chosen"))), // the chosen one on top
    points,
    rules: [],
    minX: min,
    maxX: max,
    xTicks: axisTicks(transform),
    scale: part.scale(values),
    cursor: inside ? state.amount : null,
  };
}
