import type { WidgetModel } from "../kernel/model.ts";
import { h, setText } from "./dom.ts";

const UNSUPPORTED = "This page cannot show charts: it has no widget manager. Open the notebook in JupyterLab to see it.";
const LOADING = "Loading the chart…";
const FAILED = "The chart cannot be shown; reload the page to try again.";

/** The view of an ipywidget, as JupyterLab's widget manager makes it. */
interface WidgetView {
  el: HTMLElement;
  remove(): void;
}

/** What ipywidgets' manager has beyond anywidget's types. */
interface ViewManager {
  get_model(id: string): Promise<unknown>;
  create_view?: (model: unknown, options: object) => Promise<WidgetView>;
}

/** A plotly figure of the kernel: the view of its widget inside ours. */
export class Chart {
  readonly element: HTMLElement;
  private readonly place = h("div", { class: "dwx-chart", "data-testid": "chart" });
  private readonly words = h("p", { class: "dwx-chart-words", "data-testid": "chart-words" });
  private readonly observer = new ResizeObserver(() => this.resize());
  private readonly manager: ViewManager;
  private view: WidgetView | null = null;
  private mounted = "";
  private problem: string;
  private closed = false;

  /** @param shown called when the view of a figure is there: the kernel sends it everything then */
  constructor(
    private readonly model: WidgetModel,
    private readonly shown: () => void,
  ) {
    this.element = h("div", { class: "dwx-chart-box" }, this.place, this.words);
    this.manager = model.widget_manager as ViewManager;
    this.problem = this.manager?.create_view ? "" : UNSUPPORTED;
    model.on("change:chart", this.follow);
    this.observer.observe(this.place);
    this.follow();
  }

  close(): void {
    this.closed = true;
    this.observer.disconnect();
    this.model.off("change:chart", this.follow);
    this.view?.remove();
  }

  /**
   * Show the figure.
   * @param empty what to say instead, where there is nothing to draw
   */
  update(empty = ""): void {
    this.element.dataset.drawn = String(!empty && !this.problem);
    this.place.hidden = empty !== ""; // the figure may still show something else
    setText(this.words, empty || this.problem || (this.view ? "" : LOADING));
  }

  private readonly follow = (): void => void this.mount();

  private async mount(): Promise<void> {
    const id = modelId(this.model.get("chart"));
    if (!id || id === this.mounted || !this.manager?.create_view) return;
    this.mounted = id;
    try {
      const view = await this.manager.create_view(await this.manager.get_model(id), {});
      if (this.closed || this.mounted !== id) {
        view.remove();
        return;
      }
      this.view?.remove();
      this.view = view;
      this.place.replaceChildren(view.el);
      this.problem = "";
      setText(this.words, "");
      this.resize();
      this.shown();
    } catch (error) {
      console.debug("The chart could not be shown:", error);
      this.problem = FAILED;
      setText(this.words, FAILED);
    }
  }

  /** Plotly takes the size of its place when the window changes its own. */
  private resize(): void {
    if (this.view) requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
  }
}

/** Return the id of a widget that a trait refers to. */
function modelId(reference: unknown): string {
  if (typeof reference === "string") return reference.replace("IPY_MODEL_", "");
  return (reference as { model_id?: string } | null)?.model_id ?? "";
}
