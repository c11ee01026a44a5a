/** The energy of the first layer's filters by spatial frequency, and what the stride carries. */
import { h } from "../ui/dom.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";
import { frequencyText, percent, strideText } from "./texts.ts";
import type { FirstLayer } from "./wire.ts";

const [HEIGHT, BELOW, ABOVE, SIDE, MIN_WIDTH] = [140, 18, 16, 6, 200];
const TICKS = [0, 0.1, 0.2, 0.3, 0.4, 0.5];
const MAX_FREQUENCY = 0.5;

export function createHistogram() {
  const drawing = createDrawing();
  const svg = elementFactory(drawing.namespaceURI);
  drawing.setAttribute("role", "img");
  const caption = "Energy by spatial frequency (cycles per pixel), mean over the filters";
  const element = h(
    "figure",
    { class: "dwn-figure", "data-testid": "histogram" },
    h("figcaption", { class: "dwn-small" }, caption),
    drawing,
  );
  let drawn: FirstLayer | null = null;
  let width = 0;
  const x = (frequency: number) => SIDE + ((width - 2 * SIDE) * frequency) / MAX_FREQUENCY;
  const observer = new ResizeObserver(() => drawn && update(drawn));
  observer.observe(element);

  const update = (first: FirstLayer) => {
    const newWidth = Math.max(MIN_WIDTH, drawing.clientWidth);
    if (drawn === first && width === newWidth) return;
    [drawn, width] = [first, newWidth];
    drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { histogram, histogram_above: aboveStride, edges, carried, stride } = first;
    const highest = Math.max(...histogram) || 1;
    const floor = HEIGHT - BELOW;
    const bars = histogram.flatMap((share, bin) => {
      const [from = 0, to = 0, above = 0] = [edges[bin], edges[bin + 1], aboveStride[bin]];
      const title = `${from.toFixed(2)} to ${to.toFixed(2)}: ${percent(share, 1)} of the energy, ${percent(above, 1)} above the limit`;
      const bar = (part: number, name: string) => {
        const height = ((floor - ABOVE) * part) / highest;
        const place = { x: x(from) + 0.5, width: Math.max(0, x(to) - x(from) - 1), y: floor - height, height };
        return svg("rect", { ...place, class: name }, svg("title", {}, title));
      };
      return [bar(share, "dwn-within"), ...(above > 0 ? [bar(above, "dwn-beyond")] : [])];
    });
    const strided = stride.some((step) => step > 1);
    const limit = `stride ${strideText(first)} carries up to ${frequencyText(carried)} along an axis`;
    const end = x(carried) > 0.4 * width; // the text takes half of the width of a narrow panel
    const line = [
      svg("line", { class: "dwn-limit", x1: x(carried), x2: x(carried), y1: 2, y2: floor }),
      svg("text", { class: "dwn-strong", x: x(carried) + (end ? -5 : 5), y: 11, "text-anchor": end ? "end" : "start" }, limit),
    ];
    const ticks = TICKS.map((at) => {
      const anchor = at === 0 ? "start" : at === MAX_FREQUENCY ? "end" : "middle";
      return svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": anchor }, String(at));
    });
    drawing.setAttribute("aria-label", `${caption}; ${strided ? limit : "the stride is 1"}`);
    drawing.replaceChildren(...bars, ...(strided ? line : []), ...ticks);
  };
  return { element, update, close: () => observer.disconnect() };
}
