/** The results of a multi-label model: average precision per class, precision and recall at a threshold, and photographs of a class. */

import type { TestsRequest } from "../classification/photograph_store.ts";
import { createPhotographStrip } from "../classification/photograph_strip.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatPercent } from "../ui/format.ts";
import type { Choice } from "../ui/radio_group.ts";
import { createSlider } from "../ui/slider.ts";
import { createTabs } from "../ui/tabs.ts";
import { createNames } from "./names.ts";
import type { MultilabelResults } from "./results.ts";
import type { ViewContent, ViewOptions } from "./task_view.ts";
import { countsAt, formatAccuracy, thresholdRow } from "./texts.ts";
import type { LabelledPhotograph } from "./wire.ts";

type Tab = "classes" | "names";
const TABS: Choice<Tab>[] = [
  ["classes", "Classes", "Average precision, precision and recall of each class"],
  ["names", "Class names", "How the labels of the image set match the model's classes"],
];
const PHOTOGRAPHS = 12; // of each group
const GROUPS: Record<string, string> = {
  found: "found: labelled and predicted",
  missed: "missed: labelled, below the threshold",
  false: "false alarms: predicted without the label",
};

interface ClassScore {
  label: number;
  name: string;
  tests: number;
  averagePrecision: number;
  precision: number;
  recall: number;
}

/** Return the scores of each class at a threshold, by rising average precision; classes without photographs last. */
export function classScores(results: MultilabelResults, threshold: number): ClassScore[] {
  const { averagePrecision, tests, predicted, right, reply } = results;
  const row = thresholdRow(threshold) * tests.length;
  const scores = reply.categories.map((name, label) => {
    const [found, hits, labelled] = [predicted[row + label] ?? 0, right[row + label] ?? 0, tests[label] ?? 0];
    const precision = found ? hits / found : Number.NaN;
    return { label, name, tests: labelled, averagePrecision: averagePrecision[label] ?? Number.NaN, precision, recall: hits / labelled };
  });
  const key = ({ averagePrecision: value }: ClassScore) => (Number.isNaN(value) ? 2 : value);
  return scores.sort((a, b) => key(a) - key(b) || a.label - b.label);
}

/** Return the number of photographs in each group, for a class at a threshold. */
export function groupCounts({ predicted, right, tests }: MultilabelResults, label: number, threshold: number) {
  const at = thresholdRow(threshold) * tests.length + label;
  const [found, hits, labelled] = [predicted[at] ?? 0, right[at] ?? 0, tests[label] ?? 0];
  return { found: hits, missed: labelled - hits, false: found - hits };
}

/** Return the group of a photograph for a class at a threshold; null if it belongs to none. */
export function groupOf({ labels, confidence }: Pick<LabelledPhotograph, "labels" | "confidence">, label: number, threshold: number) {
  const isPredicted = (confidence ?? 0) >= threshold;
  if (labels.includes(label)) return isPredicted ? "found" : "missed";
  return isPredicted ? "false" : null;
}

export class MultilabelView {
  readonly element: HTMLElement;
  private readonly store: ViewOptions["store"];
  private readonly slider: ReturnType<typeof createSlider>;
  private readonly micro = h("span", { class: "dwc-dim", "data-testid": "threshold-words" });
  private readonly body = h("tbody", {});
  private readonly title = h("h4", { "data-testid": "label-title" });
  private readonly groups: { name: string; heading: HTMLElement; strip: ReturnType<typeof createPhotographStrip<LabelledPhotograph>> }[];
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly names: ReturnType<typeof createNames>;
  private readonly tabs: ReturnType<typeof createTabs<Tab>>;
  private readonly removeListener: () => void;
  private content: { results: MultilabelResults; label: number; threshold: number } | null = null;
  private drawnKey = "";

  constructor(private readonly options: ViewOptions) {
    const { id, store, set, showStatus } = options;
    this.store = store;
    const limits = { min: 0.01, max: 0.99, step: 0.01 };
    const input = (threshold: number) => set({ threshold: Math.round(100 * threshold) / 100 });
    this.slider = createSlider({ label: "Threshold", testid: "threshold", ...limits, input });
    this.groups = Object.entries(GROUPS).map(([name, title]) => this.createGroup(name, title));
    const heading = ["class", "photographs", "average precision", "precision", "recall"].map((text) => h("th", { scope: "col" }, text));
    const table = h("table", { class: "dwe-labels", "data-testid": "labels" }, h("thead", {}, h("tr", {}, ...heading)), this.body);
    const threshold = h("div", { class: "dwe-threshold" }, h("span", {}, "Threshold"), this.slider.element, this.micro);
    const strips = this.groups.flatMap(({ heading: text, strip }) => [text, strip.element]);
    const pane = h("section", { class: "dwc-pane", "aria-label": "Photographs of the class" }, this.title, this.error, ...strips);
    const classes = h(
      "div",
      {},
      threshold,
      h("div", { class: "dwe-labels-and-photographs" }, h("div", { class: "dwe-scroll" }, table), pane),
    );
    this.names = createNames({ client: store.client, set, showStatus });
    const panels = { classes, names: this.names.element };
    const pick = (show: Tab) => set({ show });
    this.tabs = createTabs({ id, label: "Results", testid: "results-tabs", prefix: "show", tabs: TABS, panels, pick });
    const body = h("div", { class: "dwe-body" }, classes, this.names.element);
    this.element = h("div", { class: "dwe-view" }, h("div", { class: "dwe-nav" }, this.tabs.element), body);
    this.removeListener = store.labelled.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.store.labelled.setVisible(this, []);
  }

  update({ state, results, data }: ViewContent<MultilabelResults>): void {
    const show = state.show === "names" ? "names" : "classes";
    this.tabs.show(show);
    this.names.update(data, state);
    if (!results) return;
    const label = state.label !== null && state.label < results.reply.categories.length ? state.label : 0;
    this.content = { results, label, threshold: state.threshold };
    const { precision, recall } = countsAt(results, state.threshold);
    this.slider.show(state.threshold, formatPercent(state.threshold));
    setText(this.micro, `all classes together: precision ${formatPercent(precision)}, recall ${formatPercent(recall)}`);
    this.drawTable(results, label, state.threshold);
    this.store.labelled.setVisible(this, show === "classes" ? [this.request(results, label), this.request(results, label, false)] : []);
    this.draw();
  }

  private createGroup(name: string, title: string) {
    const { store, why } = this.options;
    const categories = () => this.content?.results.reply.categories ?? [];
    const listed = (labels: number[]) => labels.map((label) => categories()[label]).join(", ") || "no label";
    const strip = createPhotographStrip<LabelledPhotograph>({
      store: store.labelled,
      label: title,
      testid: `label-${name}`,
      caption: ({ confidence }) => [formatPercent(confidence)],
      describe: ({ name: file, labels, predicted_labels: predicted }) => `${listed(labels)}; predicted ${listed(predicted)} · ${file}`,
      isRight: () => name === "found",
      keyOf: ({ source }) => String(source),
      why: ({ source }) => why(source, this.content?.results.reply.model_classes[this.content.label] ?? null),
    });
    return { name, heading: h("h5", { "data-testid": `label-${name}-title` }, title), strip };
  }

  /** Return the request for the photographs with a label, or for those without it that are predicted, by falling probability. */
  private request({ reply, version }: MultilabelResults, label: number, labelled = true): TestsRequest {
    const selection = labelled ? { truth: label, prediction: null, right: null } : { truth: null, prediction: label, right: false };
    return { version, run: reply.summary.run, ...selection, limit: 8 * PHOTOGRAPHS };
  }

  private drawTable(results: MultilabelResults, label: number, threshold: number): void {
    const key = `${results.version} ${label} ${threshold}`;
    if (key === this.drawnKey) return;
    this.drawnKey = key;
    const focused = this.body.contains(this.body.ownerDocument.activeElement);
    this.body.replaceChildren(...classScores(results, threshold).map((score) => this.createRow(score, score.label === label)));
    if (focused) this.body.querySelector<HTMLElement>("[aria-pressed=true]")?.focus();
  }

  private createRow({ label, name, tests, averagePrecision, precision, recall }: ClassScore, isShown: boolean): HTMLElement {
    const select = () => this.options.set({ label });
    const properties = { type: "button", class: "dwe-label", "aria-pressed": String(isShown), "data-testid": `label-${label}` };
    const bar = h("span", { class: "dwc-track" }, h("i", { class: "dwc-fill-right", style: `width:${100 * (averagePrecision || 0)}%` }));
    const cell = (text: string) => h("td", { class: "dwc-number" }, text);
    const average = h(
      "td",
      {},
      h("span", { class: "dwe-average" }, bar, h("span", { class: "dwc-number" }, formatAccuracy(orNull(averagePrecision)))),
    );
    const cells = [cell(formatInteger(tests)), average, cell(formatPercent(precision)), cell(formatPercent(recall))];
    return h(
      "tr",
      { "data-shown": String(isShown) },
      h("th", { scope: "row" }, h("button", { ...properties, onclick: select }, name)),
      ...cells,
    );
  }

  private draw(): void {
    if (!this.content) return;
    const { results, label, threshold } = this.content;
    const lists = [this.request(results, label), this.request(results, label, false)].map((request) => this.store.labelled.list(request));
    const error = lists.find((list) => list.error)?.error ?? "";
    this.error.hidden = !error;
    setText(this.error, error);
    setText(this.title, results.reply.categories[label] ?? "");
    const counts = groupCounts(results, label, threshold);
    const photographs = lists.flatMap(({ value }) => value?.photographs ?? []);
    for (const { name, heading, strip } of this.groups) {
      const found = photographs.filter((photograph) => groupOf(photograph, label, threshold) === name);
      const count = counts[name as keyof typeof counts];
      setText(heading, `${formatInteger(count)} ${GROUPS[name]}`);
      heading.hidden = !count;
      strip.update(results.reply.summary.run, found.slice(0, PHOTOGRAPHS));
    }
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
