/** The results of a regression: predicted against true values, and the photographs with the largest errors. */
import type { TestsRequest } from "../classification/photograph_store.ts";
import { createPhotographStrip } from "../classification/photograph_strip.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import type { RegressionResults } from "./results.ts";
import { createScatter } from "./scatter.ts";
import type { ViewContent, ViewOptions } from "./task_view.ts";
import type { ValuedPhotograph } from "./wire.ts";

const PHOTOGRAPHS = 48;

/** Return the values of one output, of an array (photographs, outputs). */
export function column(values: Float32Array, outputs: number, output: number): Float32Array {
  return Float32Array.from({ length: Math.floor(values.length / Math.max(1, outputs)) }, (_, row) => values[row * outputs + output] ?? 0);
}

export class RegressionView {
  readonly element: HTMLElement;
  private readonly scatter = createScatter({ choose: (index) => this.select(this.content?.results.sources[index] ?? -1) });
  private readonly outputs: ReturnType<typeof createSelect<string>>;
  private readonly selectedTitle = h("h4", { "data-testid": "point-title", "aria-live": "polite" });
  private readonly selected: ReturnType<typeof createPhotographStrip<ValuedPhotograph>>;
  private readonly largest: ReturnType<typeof createPhotographStrip<ValuedPhotograph>>;
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly removeListener: () => void;
  private content: { results: RegressionResults; output: number } | null = null;
  private source = -1;
  private drawnKey = "";

  constructor(private readonly options: ViewOptions) {
    const { store, set } = options;
    const pick = (name: string) => set({ output: Number(name) });
    this.outputs = createSelect<string>({ label: "Output", testid: "output", choices: [], pick });
    this.selected = this.createStrip("Selected photograph", "point-photograph");
    this.largest = this.createStrip("Photographs with the largest errors", "largest-errors");
    const heading = h("h4", {}, "Largest errors");
    const parts = [this.outputs.element, this.selectedTitle, this.selected.element, heading, this.error, this.largest.element];
    const pane = h("section", { class: "dwc-pane", "aria-label": "Photographs" }, ...parts);
    this.element = h("div", { class: "dwe-view dwe-scatter-and-photographs" }, this.scatter.element, pane);
    this.removeListener = store.valued.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.options.store.valued.setVisible(this, []);
    this.options.store.valued.setVisibleSources(this, 0, []);
  }

  update({ state, results }: ViewContent<RegressionResults>): void {
    this.element.hidden = !results;
    if (!results) return;
    const names = results.reply.outputs;
    this.content = { results, output: state.output < names.length ? state.output : 0 };
    this.outputs.element.hidden = names.length < 2;
    if (this.outputs.select.length !== names.length) {
      this.outputs.select.replaceChildren(...names.map((name, index) => h("option", { value: index }, name)));
    }
    this.outputs.select.value = String(this.content.output);
    this.options.store.valued.setVisible(this, [this.request()]);
    this.draw();
  }

  private createStrip(label: string, testid: string) {
    const { store, why } = this.options;
    return createPhotographStrip<ValuedPhotograph>({
      store: store.valued,
      label,
      testid,
      caption: (photograph) => [this.describeError(photograph)],
      describe: (photograph) => `${this.describeValues(photograph)} · ${photograph.name}`,
      isRight: () => null,
      keyOf: ({ source }) => `${source}/${this.content?.output}`,
      pick: ({ source }) => this.select(source),
      why: ({ source }) => why(source, this.content?.results.reply.outputs[this.content.output] ?? null),
    });
  }

  private select(source: number): void {
    this.source = source;
    this.draw();
  }

  private request(): TestsRequest {
    const { results, output } = this.content as { results: RegressionResults; output: number };
    const selection = { truth: output, prediction: null, right: null, limit: PHOTOGRAPHS };
    return { version: results.version, run: results.reply.summary.run, ...selection };
  }

  private describeError({ values, predicted_values: predicted }: ValuedPhotograph): string {
    const output = this.content?.output ?? 0;
    const difference = (predicted[output] ?? Number.NaN) - (values[output] ?? Number.NaN);
    return `${difference > 0 ? "+" : difference < 0 ? "−" : ""}${formatNumber(Math.abs(difference))}`;
  }

  private describeValues({ values, predicted_values: predicted }: ValuedPhotograph): string {
    const { results, output } = this.content as { results: RegressionResults; output: number };
    const unit = results.reply.unit ? ` ${results.reply.unit}` : "";
    return `predicted ${formatNumber(predicted[output])}${unit}, true ${formatNumber(values[output])}${unit}`;
  }

  /** Return the photograph of a point. */
  private photographOf(index: number): ValuedPhotograph {
    const { results } = this.content as { results: RegressionResults; output: number };
    const outputs = results.reply.outputs.length;
    const values = (all: Float32Array) => [...all.subarray(index * outputs, (index + 1) * outputs)];
    const name = `photograph ${this.source}`;
    return { source: this.source, name, values: values(results.truths), predicted_values: values(results.predictions) };
  }

  private draw(): void {
    if (!this.content) return;
    const { results, output } = this.content;
    const { store } = this.options;
    const run = results.reply.summary.run;
    const index = results.sources.indexOf(this.source);
    const key = `${results.version} ${output} ${index}`;
    if (key !== this.drawnKey) {
      this.drawnKey = key;
      const outputs = results.reply.outputs.length;
      const [truths, predictions] = [results.truths, results.predictions].map((values) => column(values, outputs, output));
      if (truths && predictions) this.scatter.update(truths, predictions, results.reply.unit, index);
    }
    const { value, error } = store.valued.list(this.request());
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    this.largest.update(run, value?.photographs ?? []);
    store.valued.setVisibleSources(this, run, index < 0 ? [] : [this.source]);
    const listed = value?.photographs.find(({ source }) => source === this.source);
    const shown = index < 0 ? null : (listed ?? this.photographOf(index));
    setText(this.selectedTitle, shown ? this.describeValues(shown) : "Click a point for its photograph.");
    this.selected.update(run, shown ? [shown] : []);
  }
}
