import type { Lookup } from "../kernel/resource.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatNumber, formatPercent } from "../ui/format.ts";
import { histogramBars } from "./histogram.ts";
import type { Column, Entry, Overview, UnitDetail } from "./wire.ts";

const MAX_CLASSES = 4;

/** Describe one of the strongest activations of a unit. */
export function describeEntry(entry: Pick<Entry, "label" | "source" | "prediction" | "probability">): string {
  const parts = [entry.label ?? entry.source];
  const probability = entry.probability === null ? "" : ` ${formatPercent(entry.probability)}`;
  if (entry.prediction) parts.push(`predicted ${entry.prediction}${probability}`);
  return parts.join(" · ");
}

/** Return the predicted class, or that it is the label; empty if the model has no classes. */
export function describePrediction({ label, prediction }: Pick<Entry, "label" | "prediction">): string {
  if (!prediction) return "";
  return prediction === label ? "✓ correct" : prediction;
}

/**
 * Describe the statistics of a unit.
 * @param images the number of images, such as "252 crops"
 */
export function describeUnit({ maximum, mean, selectivity, activation_rate }: Record<Column, number>, images: string): string {
  if (activation_rate === 0) return maximum < 0 ? `negative in all ${images}` : `dead: inactive in all ${images}`;
  const numbers = `max ${formatNumber(maximum)} · mean ${formatNumber(mean)} · selectivity ${formatNumber(selectivity)}`;
  return `${numbers} · active in ${formatPercent(activation_rate)} of ${images}`;
}

/** Describe one of a unit's strongest activations: its rank, and what is known of it. */
export function describeRank(entries: readonly Entry[], rank: number): string {
  const entry = entries[rank];
  return entry ? `#${rank + 1} · ${formatNumber(entry.value)} · ${describeEntry(entry)}` : `#${rank + 1}`;
}

/** Describe the statistics of a unit in two short lines. */
export function shortStatistics({ maximum, mean, selectivity, activation_rate }: Record<Column, number>): string {
  if (activation_rate === 0) return maximum < 0 ? "always negative" : "dead";
  return `max ${formatNumber(maximum)} · mean ${formatNumber(mean)}\nselectivity ${formatNumber(selectivity)} · active ${formatPercent(activation_rate)}`;
}

/** Return the headings of the columns of strongest activations. Photographs without a label are listed by their names. */
function entryHeadings(entries: Entry[]): [label: string, prediction: string] {
  const labelled = entries.filter(({ label }) => label).length;
  const label = labelled === 0 ? "Photograph" : labelled < entries.length ? "Label or file" : "Label";
  return [label, entries.some(({ prediction }) => prediction) ? "Predicted class" : ""];
}

/**
 * Create the list of a unit's strongest activations, their classes, and the histogram of its activations.
 * @param hover called with the rank of the hovered entry, and with null when the pointer leaves it
 */
export function createUnitFacts({ hover, pick }: { hover: (rank: number | null) => void; pick: (rank: number) => void }) {
  const list = h("ol", { class: "dwx-entries", "data-testid": "entries" });
  const classes = createClassCounts();
  const histogram = createHistogram();
  const error = h("p", { class: "dwx-error", hidden: true });
  const headings = [h("span", { class: "dwx-number" }, "Activation"), h("span", {}), h("span", {}), h("span", {})];
  const [, labelHeading, predictionHeading, probabilityHeading] = headings as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  const table = h("div", { class: "dwx-entry-table" }, h("div", { class: "dwx-entry-headings" }, ...headings), list);
  const element = h("div", { class: "dwx-facts" }, error, table);
  const distribution = h("div", { class: "dwx-facts" }, classes.element, histogram.element);
  let shown: UnitDetail | null = null;

  const createRow = (entry: Entry, rank: number) => {
    const { label, source, prediction, probability } = entry;
    const parts = [
      h("span", { class: "dwx-number" }, formatNumber(entry.value)),
      h("span", { class: "dwx-entry-label" }, label ?? source),
      h("span", { class: "dwx-prediction" }, describePrediction(entry)),
      h("span", { class: "dwx-probability" }, prediction && probability !== null ? formatPercent(probability) : ""),
    ];
    const title = `${describeEntry(entry)} · ${source} · at row ${entry.row}, column ${entry.column}`;
    // Not focusable: the mosaics contain the same activations.
    const properties = { type: "button", tabindex: -1, class: "dwx-entry", title, "data-rank": rank };
    const listeners = { onclick: () => pick(rank), onpointerenter: () => hover(rank), onpointerleave: () => hover(null) };
    return h("li", {}, h("button", { ...properties, ...listeners }, ...parts));
  };

  const update = ({ value: detail, error: reason }: Lookup<UnitDetail>, overview: Overview, rank: number) => {
    error.hidden = !reason;
    setText(error, reason ?? "");
    element.dataset.ready = distribution.dataset.ready = String(Boolean(detail));
    if (detail && detail !== shown) {
      shown = detail;
      list.replaceChildren(...detail.entries.map(createRow));
      const [label, prediction] = entryHeadings(detail.entries);
      table.hidden = detail.entries.length === 0;
      setText(labelHeading, label);
      setText(predictionHeading, prediction);
      setText(probabilityHeading, detail.entries.some(({ probability }) => probability !== null) ? "Probability" : "");
      classes.update(detail);
      histogram.element.hidden = detail.entries.length === 0;
      histogram.update(detail, overview);
    }
    [...list.children].forEach((row, index) => void row.classList.toggle("dwx-selected", index === rank));
  };
  return { element, distribution, update };
}

/** Create the bars of the most frequent classes among a unit's strongest activations. */
function createClassCounts() {
  const title = h("div", { class: "dwx-part-caption" });
  const rows = h("div", { class: "dwx-classes", "data-testid": "classes" });
  const element = h("div", {}, title, rows);

  const update = ({ entries }: UnitDetail) => {
    const counts = new Map<string, number>();
    for (const { label } of entries) if (label) counts.set(label, (counts.get(label) ?? 0) + 1);
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    const bars = sorted.slice(0, MAX_CLASSES).map(([name, count]) => {
      const track = h("span", { class: "dwx-track" }, h("i", { style: `width:${(100 * count) / entries.length}%` }));
      return h(
        "div",
        { class: "dwx-class-row" },
        h("span", { title: name }, name),
        track,
        h("span", { class: "dwx-number" }, String(count)),
      );
    });
    const unlabelled = entries.filter(({ label }) => !label).length;
    const rest = [
      sorted.length > MAX_CLASSES ? `${sorted.length - MAX_CLASSES} more` : "",
      unlabelled ? `${unlabelled} without a label` : "",
    ].filter(Boolean);
    setText(title, sorted.length ? `Classes of the top ${entries.length}` : "");
    if (rest.length) bars.push(h("div", { class: "dwx-other-classes" }, rest.join(", ")));
    rows.replaceChildren(...(sorted.length ? bars : []));
  };
  return { element, update };
}

/** Create the histogram of a unit's activations in all images. */
function createHistogram() {
  const title = h("div", { class: "dwx-part-caption" });
  const bars = h("div", { class: "dwx-histogram", role: "img", "data-testid": "histogram" });
  const [low, high] = [h("span", {}), h("span", {})];
  const element = h("div", {}, title, bars, h("div", { class: "dwx-axis" }, low, h("span", {}, "square-root scale"), high));

  const update = ({ histogram, edges }: UnitDetail, overview: Overview) => {
    const image = overview.crops > overview.photographs ? "crop" : "photograph";
    const [from, to] = [formatNumber(edges[0]), formatNumber(edges.at(-1))];
    setText(title, `Maximum per ${image}`);
    title.title = `Histogram of the unit's maximum activation in each ${image}. The heights of the bars are the square roots of the counts.`;
    const columns = histogramBars(histogram, edges).map((bar) => {
      const tooltip = `${formatNumber(bar.from)} to ${formatNumber(bar.to)}: ${formatInteger(bar.count)}`;
      return h("i", { style: `height:${100 * bar.height}%`, title: tooltip });
    });
    bars.replaceChildren(...columns);
    bars.setAttribute("aria-label", `${title.textContent}: histogram from ${from} to ${to}`);
    setText(low, from);
    setText(high, to);
  };
  return { element, update };
}
