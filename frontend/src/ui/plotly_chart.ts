import { h, setText } from "./dom.ts";

const NO_CHARTS = "This page cannot show the chart: it has no widget manager. In JupyterLab it stands here; everything else is complete.";
const CHART_COMING = "The chart is on its way…";

/** The place of a chart: the view of the kernel's figure as a child of ours. */
export class ChartHost {
  model: any;
  stands: () => void;
  place: HTMLElement;
  words: HTMLElement;
  element: HTMLElement;
  view: any;
  mounted: string;
  trouble: string;
  closed: boolean;
  follow: () => undefined;
  sizes: ResizeObserver;

  /**
   * @param model anywidget's
   * @param stands told when a figure's view is there
   */
  constructor(model: any, stands: () => void) {
    this.model = model;
    this.stands = stands;
    this.place = h("div", { class: "dwx-chart", "data-testid": "chart" });
    this.words = h("p", { class: "dwx-chart-words", "data-testid": "chart-words" });
    this.element = h("div", { class: "dwx-chart-box" }, this.place, this.words);
    this.view = null;
    this.mounted = "";
    this.trouble = model.widget_manager?.create_view ? "" : NO_CHARTS;
    this.closed = false;
    this.follow = () => void this.mount();
    model.on("change:chart", this.follow);
    // Plotly takes the size of its place when the window changes its own.
    this.sizes = new ResizeObserver(() => this.view && requestAnimationFrame(() => window.dispatchEvent(new Event("resize"))));
    this.sizes.observe(this.place);
    void this.mount();
  }

  async mount() {
    const reference = this.model.get("chart");
    const id = typeof reference === "string" ? reference.replace("IPY_MODEL_", "") : (reference?.model_id ?? "");
    if (!id || id === this.mounted) return;
    this.mounted = id;
    const manager = this.model.widget_manager;
    if (!manager?.create_view) return;
    try {
      const view = await manager.create_view(await manager.get_model(id), {});
      if (this.closed || this.mounted !== id) {
        view.remove();
        return;
      }
      this.view?.remove();
      this.view = view;
      this.place.replaceChildren(view.el);
      this.tell("");
      window.dispatchEvent(new Event("resize"));
      this.stands();
    } catch (error) {
      this.tell(`The chart cannot be shown: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param trouble why there is no chart, until there is */
  tell(trouble: string) {
    this.trouble = trouble;
    setText(this.words, trouble);
  }

  /**
   * Show the figure, or say why there is none.
   * @param nothing in its place, where there is nothing to draw
   */
  update(nothing: string = "") {
    this.element.dataset.drawn = String(!nothing && !this.trouble);
    this.place.hidden = nothing !== ""; // the figure may still show something else
    setText(this.words, nothing || this.trouble || (this.view ? "" : CHART_COMING));
  }

  close() {
    this.closed = true;
    this.sizes.disconnect();
    this.model.off("change:chart", this.follow);
    this.view?.remove();
  }
}
