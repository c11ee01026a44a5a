import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { h, setText } from "./dom.ts";
import { fetchFigure, type Plotly, type PlotlyLoader } from "./plotly.ts";

const LOADING = "Loading the chart…";
const INTERVAL = 1000; // ms between two drawings, each of which may take the page 200

interface ChartOptions {
  client: KernelClient;
  plotly: PlotlyLoader;
  /** Plotly's settings. */
  config?: object;
}

/** A plotly chart: of one thing at a time, and redrawn as that grows. */
export class Chart {
  readonly element: HTMLElement;
  private readonly place = h("div", { class: "dwx-chart", "data-testid": "chart" });
  private readonly words = h("p", { class: "dwx-chart-words", "data-testid": "chart-words" });
  private readonly observer = new ResizeObserver(() => this.resize());
  private plotly: Plotly | null = null;
  private fields: Record<string, unknown> | null = null;
  /** What is to be shown, and what is. */
  private requested = "";
  private shown = "";
  private error = "";
  private empty = "";
  private drawing = false;
  private drawn = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(private readonly options: ChartOptions) {
    this.element = h("div", { class: "dwx-chart-box" }, this.place, this.words);
    this.observer.observe(this.place);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.options.client.release(this);
    this.plotly?.purge(this.place);
  }

  /**
   * Show a figure.
   * @param fields of the request for it
   * @param version of what it shows: with another one it is asked for again
   */
  show(fields: Record<string, unknown>, version: string): void {
    this.empty = "";
    this.fields = fields;
    const requested = `${JSON.stringify(fields)} ${version}`;
    if (requested !== this.requested) this.error = "";
    this.requested = requested;
    this.schedule();
    this.update();
  }

  /** Say why there is nothing to show. */
  clear(words: string): void {
    this.empty = words;
    this.fields = null;
    this.update();
  }

  private update(): void {
    this.element.dataset.drawn = String(!this.empty && this.shown !== "");
    this.place.hidden = this.empty !== ""; // it may still show something else
    setText(this.words, this.empty || this.error || (this.shown ? "" : LOADING));
  }

  private schedule(): void {
    const idle = this.requested === this.shown || this.error || this.drawing || this.closed;
    if (idle || !this.options.client.available) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.draw(), Math.max(0, this.drawn + INTERVAL - performance.now()));
  }

  private async draw(): Promise<void> {
    const { fields, requested, options } = this;
    if (!fields) return;
    this.drawing = true;
    try {
      const [plotly, figure] = await Promise.all([options.plotly.load(), fetchFigure(options.client, this, fields)]);
      if (this.closed) return;
      this.plotly = plotly;
      if (figure) {
        this.place.hidden = false; // plotly measures it
        this.element.dataset.drawn = "true";
        await plotly.react(this.place, figure.data, figure.layout, { displayModeBar: false, ...options.config });
        this.shown = requested;
      }
    } catch (error) {
      if (!(error instanceof KernelUnavailable)) this.error = errorMessage(error); // else it is asked for when the kernel is back
    } finally {
      this.drawing = false;
      this.drawn = performance.now();
    }
    this.update();
    this.schedule();
  }

  private resize(): void {
    const { plotly, place } = this;
    if (plotly && this.shown && place.clientWidth) requestAnimationFrame(() => !this.closed && plotly.Plots.resize(place));
  }
}
