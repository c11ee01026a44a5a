import { h, segments, setText } from "./dom.js";
import { createProgress } from "./transfer_progress.js";

/* The middle of the panel: where the run is, and its chart, a plotly figure that lives in the kernel. */

const CHART_TABS = /** @type {[string, string, string][]} */ ([
  ["training", "Training", "Loss and accuracy, step by step"],
  ["curve", "By number of images", "Accuracy by number of training images a class, beside the paper's"],
]);
const NO_CHARTS = "This page cannot show the chart: it has no widget manager. In JupyterLab it stands here; the results beside it are complete.";
const CHART_COMING = "The chart is on its way…";
const STORY = /** @type {[string, string][]} */ ([
  ["Features", "Every photograph goes through the network, as far as the chosen layer. What that layer answers is kept; the network itself does not change."],
  ["Train and test", "A softmax classifier learns the new classes from a few of those answers, and is tested on photographs that it has not seen. Each fold draws anew."],
  ["Results", "How often it is right, beside what the paper reports, and which classes it confuses. “Use this head” puts it in the network's place."],
]);

/** The place of the chart: the figure's own view as a child of ours. */
class ChartHost {
  /** @param {any} model anywidget's @param {() => void} stands told when a figure's view is there */
  constructor(model, stands) {
    this.model = model;
    this.stands = stands;
    this.place = h("div", { class: "dwt-chart", "data-testid": "chart" });
    this.words = h("p", { class: "dwt-small dwt-chart-words", "data-testid": "chart-words" });
    this.element = h("div", { class: "dwt-chart-box" }, this.place, this.words);
    /** @type {any} */
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
    const id = typeof reference === "string" ? reference.replace("IPY_MODEL_", "") : reference?.model_id ?? "";
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

  /** @param {string} trouble why there is no chart, until there is */
  tell(trouble) {
    this.trouble = trouble;
    setText(this.words, trouble);
  }

  /** @param {any} shown the run */
  update(shown) {
    const drawn = shown.steps > 0 || shown.per_fold.length > 0;
    const goesOn = ["waiting", "features", "training", "curve"].includes(shown.phase);
    this.element.dataset.drawn = String(drawn && !this.trouble);
    this.place.hidden = !drawn; // the figure may still show another run
    if (!drawn) setText(this.words, goesOn ? "The curves begin with the first step of the training." : "There is nothing to draw of this run.");
    else if (!this.trouble) setText(this.words, this.view ? "" : CHART_COMING);
    else setText(this.words, this.trouble);
  }

  close() {
    this.closed = true;
    this.sizes.disconnect();
    this.model.off("change:chart", this.follow);
    this.view?.remove();
  }
}

/**
 * @param {object} options
 * @param {any} options.model anywidget's
 * @param {import("./transfer_wire.js").TransferWire} options.wire
 * @param {(patch: any) => void} options.set
 */
export function createLive({ model, wire, set }) {
  const title = h("h3", { "data-testid": "run-title" });
  const progress = createProgress();
  const tabs = segments({ label: "Chart", prefix: "tab", testid: "tabs", choices: CHART_TABS, pick: (tab) => set({ tab }) });
  const host = new ChartHost(model, () => void wire.ask("chart").catch(() => {})); // a silent kernel is told of elsewhere
  const story = h("ol", { class: "dwt-story", "data-testid": "story" }, ...STORY.map(([name, words]) => h("li", {}, h("b", {}, name), h("span", {}, words))));
  const run = h("div", { class: "dwt-run" }, progress.element, h("div", { class: "dwt-tabs" }, tabs.element), host.element);
  const other = h("button", { type: "button", class: "dwt-other", "data-testid": "show-running", onclick: () => set({ run: null, cell: null }) });
  const element = h("section", { class: "dwt-live", "aria-label": "The run" }, title, story, other, run);

  /** @param {{shown: any, running: number | null, state: any}} what the shown run; null before there is any */
  const update = ({ shown, running, state }) => {
    story.hidden = Boolean(shown);
    run.hidden = !shown;
    other.hidden = !shown || running === null || running === shown.run;
    setText(other, `Run ${running} goes on: show it`);
    setText(title, shown ? `Run ${shown.run}: ${shown.layer} · ${shown.images_per_class} a class · ${shown.dataset}` : "What “Retrain” does");
    title.title = title.textContent ?? "";
    if (!shown) return;
    progress.update(shown);
    tabs.show(state.tab);
    host.update(shown);
  };
  return { element, update, close: () => host.close() };
}
