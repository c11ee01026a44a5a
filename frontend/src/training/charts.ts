/** The four plots on one axis of epochs. The values at an epoch are read in all of them at once, with the pointer or the arrow keys. */
import { h, setText } from "../ui/dom.ts";
import { createLinePlot } from "../ui/line_plot.ts";
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import { type CurveName, type Curves, curvesOf, nearestEpoch, valueAt } from "./curves.ts";
import { describeEpoch } from "./texts.ts";
import type { LayerMeasure, Status, TrainingLog, TrainingState } from "./wire.ts";

const TITLES: Record<CurveName, string> = { loss: "Loss", accuracy: "Error", rate: "Learning rate", layers: "Layers, RMS" };
const TOP_HINT =
  "top-1: the most probable class counts; top-5: the five most probable classes count, which is left out among five classes or fewer";
const ACCURACY: Choice<TrainingState["accuracy"]>[] = [
  ["error", "Error", "The percentage of photographs whose class is not predicted, as the paper counts"],
  ["accuracy", "Accuracy", "The percentage of photographs whose class is predicted"],
];
const RATIO_HINT =
  "The change of a layer's weights in one step, divided by the weights. About a thousandth is usual: far more, and the learning rate is too high; far less, and the layer hardly learns";
const LAYERS: Choice<LayerMeasure>[] = [
  ["ratio", "Update ÷ weights", RATIO_HINT],
  ["weights", "Weights", "The root mean square of each layer's weights"],
  ["updates", "Updates", "The root mean square of the change of each layer's weights in one step"],
];
const STEPS: [string, string][] = [
  ["Start", "The photographs are decoded once, if they fit into memory. Some of each class are held out for validation."],
  [
    "Watch",
    "After each epoch, the loss, the errors and the learning rate are drawn here, and how much each layer has changed. The training goes on when this page is closed, as long as its kernel runs.",
  ],
  ["Look inside", "Checkpoints are kept after some epochs. An EvolutionExplorer shows how the features of each layer came to be."],
];
const LABEL = "Curves by epoch. Left and right arrow keys read the values of an epoch.";

export function createCharts({ set, redraw }: { set: (patch: Partial<TrainingState>) => void; redraw: () => void }) {
  let cursor: number | null = null;
  let log: TrainingLog | null = null;
  let drawn = "";
  const read = (place: number | null) => {
    const next = place === null || !log ? null : nearestEpoch(log, place);
    if (next === cursor) return;
    cursor = next;
    redraw();
  };
  const accuracy = createRadioGroup({
    label: "Counted as",
    prefix: "accuracy",
    choices: ACCURACY,
    pick: (value) => set({ accuracy: value }),
  });
  const layers = createRadioGroup({ label: "Measure", prefix: "layers", choices: LAYERS, pick: (value) => set({ layers: value }) });
  const cards = {
    loss: createCard("loss", read),
    accuracy: createCard("accuracy", read, accuracy.element),
    rate: createCard("rate", read),
    layers: createCard("layers", read, layers.element),
  };
  const names = Object.keys(cards) as CurveName[];
  const caption = h("p", { class: "dwg-small dwg-caption", role: "status", "data-testid": "caption" });
  const steps = STEPS.map(([name, text]) => h("li", {}, h("b", {}, name), h("span", {}, text)));
  const introduction = h("ol", { class: "dwx-steps dwg-introduction", "data-testid": "introduction" }, ...steps);
  const grid = h("div", { class: "dwg-grid" }, ...names.map((name) => cards[name].element));
  const properties = { class: "dwg-charts", tabindex: 0, role: "group", "aria-label": LABEL, "data-testid": "charts" };
  const element = h("div", properties, introduction, caption, grid);

  const update = (status: Status, state: TrainingState, newLog: TrainingLog | null) => {
    log = newLog;
    if (cursor !== null && !log?.epochs.includes(cursor)) cursor = null;
    accuracy.show(state.accuracy);
    layers.show(state.layers);
    const { version, checkpoints, progress, phase } = status;
    const key = JSON.stringify([status.layer_names, log?.epochs.length, version, checkpoints, progress, phase, state, cursor]);
    if (key === drawn) return;
    drawn = key;
    const last = log?.epochs.at(-1);
    const begun = status.epochs > 0 || progress !== null;
    introduction.hidden = begun || !(status.can_start || status.can_cancel); // a panel that only watches starts nothing
    grid.hidden = !begun;
    const curves = curvesOf(log ?? EMPTY, status, state);
    for (const name of names) cards[name].update(curves[name], cursor);
    cards.accuracy.setTitle(state.accuracy === "error" ? "Error" : "Accuracy", TOP_HINT);
    const shown = cursor ?? last;
    setText(caption, log && shown !== undefined ? describeEpoch(log, shown) : "");
    element.dataset.epochs = String(log?.epochs.length ?? 0);
  };

  /** Move the reading by keys. Return whether the key was handled. */
  const onKey = ({ key, target }: KeyboardEvent): boolean => {
    const epochs = log?.epochs ?? [];
    if (target !== element || !epochs.length) return false;
    const place = cursor === null ? epochs.length - 1 : epochs.indexOf(cursor);
    const next = { ArrowRight: place + 1, ArrowLeft: cursor === null ? place : place - 1, Home: 0, End: epochs.length - 1 }[key];
    if (key === "Escape" && cursor !== null) cursor = null;
    else if (next === undefined) return false;
    else cursor = epochs[Math.min(epochs.length - 1, Math.max(0, next))] ?? null;
    redraw();
    return true;
  };
  const close = () => {
    for (const name of names) cards[name].close();
  };
  return { element, update, onKey, close };
}

const EMPTY: TrainingLog = {
  epochs: [],
  columns: {
    train_loss: [],
    train_top1: [],
    train_top5: [],
    validation_loss: [],
    validation_top1: [],
    validation_top5: [],
    learning_rate: [],
    seconds: [],
    images_per_second: [],
  },
  layers: [],
  weights: [],
  updates: [],
  ratio: [],
  rate_steps: [],
};

/** Create one plot with its title, its controls, and the names and values of its lines. */
function createCard(name: CurveName, hover: (place: number | null) => void, controls: HTMLElement | null = null) {
  const plot = createLinePlot({ label: TITLES[name], xTitle: "epoch", yTitle: "", hover });
  const title = h("h3", {}, TITLES[name]);
  const message = h("p", { class: "dwx-chart-message" });
  const legend = h("ul", { class: "dwg-legend", "data-testid": `legend-${name}` });
  const element = h(
    "section",
    { class: "dwg-card", "data-testid": `card-${name}`, "aria-label": TITLES[name] },
    h("div", { class: "dwg-card-head" }, title, controls),
    h("div", { class: "dwg-plot-body" }, plot.element, message),
    legend,
  );

  const update = ({ plot: content, lines, format, empty }: Curves, cursor: number | null) => {
    plot.update({ ...content, cursor });
    setText(message, lines.length || content.points.length ? "" : empty);
    legend.replaceChildren(
      ...lines.map((line) =>
        h(
          "li",
          {},
          h("i", { class: `dwg-mark ${line.className}`, "aria-hidden": "true" }),
          h("span", line.title ? { title: line.title } : {}, line.name),
          h("b", {}, format(valueAt(line, cursor))),
        ),
      ),
    );
  };
  const setTitle = (text: string, hint: string) => {
    setText(title, text);
    title.title = hint;
    element.setAttribute("aria-label", text);
  };
  return { element, update, setTitle, close: plot.close };
}
