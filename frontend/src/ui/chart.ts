import type { KernelClient } from "../kernel/client.ts";
import { errorMessage, KernelUnavailable } from "../kernel/errors.ts";
import { h, setText } from "./dom.ts";
import { type Figure, fetchFigure, type Plotly, type PlotlyLoader } from "./plotly.ts";

const LOADING = "Loading the chart…";
const REDRAW_INTERVAL = 1000; // ms between two redraws, each of which may take 200 ms

interface ChartOptions {
  client: KernelClient;
  plotly: PlotlyLoader;
  /** Plotly's configuration. */
  config?: object;
  /** Called with Plotly's element after each drawing. */
  drawn?: (container: HTMLElement) => void;
}

/** A Plotly figure, redrawn when its data changes. */
export class Chart {
  readonly element: HTMLElement;
  private readonly container = h("div", { class: "dwx-chart", "data-testid": "chart" });
  private readonly message = h("p", { class: "dwx-chart-message", "data-testid": "chart-words" });
  private readonly observer = new ResizeObserver(() => this.resize());
  /** A figure that arrived while the chart was hidden: Plotly would draw it without a size. */
  private postponed: { figure: Figure; requested: string } | null = null;
  private plotly: Plotly | null = null;
  private fields: Record<string, unknown> | null = null;
  // Keys of the requested figure and of the displayed one:
  private requested = "";
  private shown = "";
  private error = "";
  private emptyMessage = "";
  private drawing = false;
  private lastDrawn = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(private readonly options: ChartOptions) {
    this.element = h("div", { class: "dwx-chart-box" }, this.container, this.message);
    this.observer.observe(this.container);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.options.client.release(this);
    this.plotly?.purge(this.container);
  }

  /**
   * Show a figure.
   * @param fields the fields of the request
   * @param version the version of the data; the figure is requested again when it changes
   */
  show(fields: Record<string, unknown>, version: string): void {
    this.emptyMessage = "";
    this.fields = fields;
    const requested = `${JSON.stringify(fields)} ${version}`;
    if (requested !== this.requested) this.error = "";
    this.requested = requested;
    this.schedule();
    this.update();
  }

  /** Show a message instead of a figure. */
  clear(message: string): void {
    this.emptyMessage = message;
    this.fields = null;
    this.update();
  }

  private update(): void {
    this.element.dataset.drawn = String(!this.emptyMessage && this.shown !== "");
    this.container.hidden = this.emptyMessage !== ""; // it may contain an earlier figure
    setText(this.message, this.emptyMessage || this.error || (this.shown ? "" : LOADING));
  }

  private schedule(): void {
    const idle = this.requested === this.shown || this.error || this.drawing || this.closed;
    if (idle || !this.options.client.available) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.draw(), Math.max(0, this.lastDrawn + REDRAW_INTERVAL - performance.now()));
  }

  private async draw(): Promise<void> {
    const { fields, requested, options } = this;
    if (!fields) return;
    this.drawing = true;
    try {
      const [plotly, figure] = await Promise.all([options.plotly.load(), fetchFigure(options.client, this, fields)]);
      if (this.closed) return;
      this.plotly = plotly;
      if (figure) await this.display(plotly, figure, requested);
    } catch (error) {
      if (!(error instanceof KernelUnavailable)) this.error = errorMessage(error); // else requested when the kernel is available again
    } finally {
      this.drawing = false;
      this.lastDrawn = performance.now();
    }
    this.update();
    this.schedule();
  }

  private async display(plotly: Plotly, figure: Figure, requested: string): Promise<void> {
    const { container, element, options } = this;
    container.hidden = false; // Plotly measures the container
    element.dataset.drawn = "true";
    const size = sizeOf(container);
    if (!container.clientWidth) {
      this.postponed = { figure, requested };
      this.shown = requested; // not requested again
      return;
    }
    this.postponed = null;
    await plotly.react(container, figure.data, figure.layout, { displayModeBar: false, ...options.config });
    this.shown = requested;
    options.drawn?.(container);
    if (sizeOf(container) !== size) this.resize(); // the observer has reported it before there was a figure
  }

  private resize(): void {
    const { plotly, container, postponed } = this;
    if (!plotly || !this.shown || !container.clientWidth) return;
    if (postponed && !this.drawing) void this.displayPostponed(plotly, postponed.figure, postponed.requested);
    else requestAnimationFrame(() => !this.closed && container.clientWidth && plotly.Plots.resize(container));
  }

  private async displayPostponed(plotly: Plotly, figure: Figure, requested: string): Promise<void> {
    this.drawing = true;
    try {
      await this.display(plotly, figure, requested);
    } catch (error) {
      this.error = errorMessage(error);
    } finally {
      this.drawing = false;
    }
    this.update();
    this.schedule();
  }
}

function sizeOf({ clientWidth, clientHeight }: Element): string {
  return `${clientWidth} x ${clientHeight}`;
}
