import { h, setText } from "../ui/dom.ts";
import { grouped, number, percent } from "../ui/format.ts";
import { histogramBars } from "./grid_layout.ts";
import type { Column, Entry, Overview, UnitDetail } from "./wire.ts";

const MOST_CLASSES = 4; // the list beside it names them all

/** One of the nine in words. */
export function entryWords(entry: Pick<Entry, "label" | "source" | "prediction" | "probability">) {
  const words = [entry.label ?? entry.source];
  if (entry.prediction) words.push(`seen as ${entry.prediction}${entry.probability === null ? "" : ` ${percent(entry.probability)}`}`);
  return words.join(" · ");
}

/** Its label, what the classifier says where that is something else, and how sure it is. */
function entryParts({ label, source, prediction, probability }: Entry) {
  const parts = [h("span", { class: "dwx-what" }, label ?? source)];
  if (prediction && prediction !== label) parts.push(h("span", { class: "dwx-seen" }, `→ ${prediction}`));
  if (prediction && probability !== null) parts.push(h("span", { class: "dwx-sure" }, percent(probability)));
  return parts;
}

/**
 * The unit's numbers in one line.
 * @param numbers maximum, mean, std, fires, selectivity
 * @param of "252 crops"
 */
export function unitWords({ maximum, mean, selectivity, fires }: Record<Column, number>, of: string) {
  if (fires === 0) return `dead: fires on none of ${of}`;
  return `max ${number(maximum)} · mean ${number(mean)} · selectivity ${number(selectivity)} · fires on ${percent(fires)} of ${of}`;
}

/** What is known of a unit: its nine in a list, the classes among them, and how strongly photographs excite it. */
export function createFacts({ point, pick }: { point: (rank: number | null) => void; pick: (rank: number) => void }) {
  const list = h("ol", { class: "dwx-entries", "data-testid": "entries" });
  const classes = h("div", { class: "dwx-classes", "data-testid": "classes" });
  const classesTitle = h("div", { class: "dwx-cap" });
  const bars = h("div", { class: "dwx-histogram", role: "img", "data-testid": "histogram" });
  const barsTitle = h("div", { class: "dwx-cap" });
  const low = h("span", {});
  const high = h("span", {});
  const histogram = h("div", {}, barsTitle, bars, h("div", { class: "dwx-axis" }, low, h("span", {}, "root scale"), high));
  const error = h("p", { class: "dwx-error", hidden: true });
  const element = h("div", { class: "dwx-facts" }, error, list, h("div", {}, classesTitle, classes), histogram);
  let shown: UnitDetail | null = null;

  const fillEntries = (detail: UnitDetail) => {
    const rows = detail.entries.map((entry, rank) => {
      const words = entryWords(entry);
      const listeners = { onclick: () => pick(rank), onpointerenter: () => point(rank), onpointerleave: () => point(null) };
      const properties = {
        class: "dwx-entry",
        title: `${words} · ${entry.source} · at row ${entry.row}, column ${entry.column}`,
        "data-rank": rank,
      };
      return h("li", { ...properties, ...listeners }, h("span", { class: "dwx-num" }, number(entry.value)), ...entryParts(entry));
    });
    list.replaceChildren(...rows);
  };

  const fillClasses = (detail: UnitDetail) => {
    const counts: Map<string, number> = new Map();
    for (const { label } of detail.entries) if (label) counts.set(label, (counts.get(label) ?? 0) + 1);
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    const top = sorted.slice(0, MOST_CLASSES).map(([name, count]) => {
      const track = h("span", { class: "dwx-track" }, h("i", { style: `width:${(100 * count) / detail.entries.length}%` }));
      return h("div", { class: "dwx-class-row" }, h("span", { title: name }, name), track, h("span", { class: "dwx-num" }, String(count)));
    });
    const unlabelled = detail.entries.filter((entry) => !entry.label).length;
    const rest = [
      sorted.length > MOST_CLASSES ? `${sorted.length - MOST_CLASSES} more` : "",
      unlabelled ? `${unlabelled} without a label` : "",
    ]
      .filter(Boolean)
      .join(", ");
    setText(classesTitle, sorted.length ? "classes among the nine" : "");
    classes.replaceChildren(...(sorted.length ? [...top, ...(rest ? [h("div", { class: "dwx-rest" }, rest)] : [])] : []));
  };

  const fillHistogram = (detail: UnitDetail, overview: Overview) => {
    const found = histogramBars(detail.histogram, detail.edges);
    const one = overview.views > overview.photographs ? "crop" : "photograph";
    setText(barsTitle, `strongest activation per ${one}`);
    barsTitle.title = `How often the unit's strongest activation in a ${one} was so high; the bars' heights are square roots of counts`;
    const columns = found.map((bar) =>
      h("i", { style: `height:${100 * bar.height}%`, title: `${number(bar.from)} to ${number(bar.to)}: ${grouped(bar.count)}` }),
    );
    bars.replaceChildren(...columns);
    bars.setAttribute("aria-label", `${barsTitle.textContent}: from ${number(detail.edges[0])} to ${number(detail.edges.at(-1))}`);
    setText(low, number(detail.edges[0]));
    setText(high, number(detail.edges.at(-1)));
  };

  const update = ({
    detail,
    failure,
    overview,
    rank,
  }: {
    detail: UnitDetail | undefined;
    failure: string | undefined;
    overview: Overview;
    rank: number;
  }) => {
    error.hidden = !failure;
    setText(error, failure ?? "");
    element.dataset.ready = String(Boolean(detail));
    if (detail && detail !== shown) {
      shown = detail;
      fillEntries(detail);
      fillClasses(detail);
      histogram.hidden = detail.entries.length === 0;
      fillHistogram(detail, overview);
    }
    for (const row of list.children) row.classList.toggle("dwx-chosen", Number((row as HTMLElement).dataset.rank) === rank);
  };
  return { element, update };
}
