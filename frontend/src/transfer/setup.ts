import { h, setText } from "../ui/dom.ts";
import { createDataFields, createDataSummary } from "./data_fields.ts";
import { createTrainingFields } from "./training_fields.ts";
import type { TransferWire } from "./wire.ts";
import type { DataSummary, Status, TransferState } from "./wire.ts";

/* The form: what to retrain on, how, and the button. */

const SETTING_NAMES = ["data", "root", "layer", "images_per_class", "folds", "weight_decay", "views", "seed", "curve"];

/** The settings of a state, as the kernel wants them. */
export function settingsOf(state: TransferState) {
  return Object.fromEntries(SETTING_NAMES.map((name) => [name, state[name]]));
}

export function createSetup({
  wire,
  set,
  start,
  stop,
  say,
  refresh,
}: {
  wire: TransferWire;
  set: (patch: Partial<TransferState>) => void;
  start: () => void;
  stop: () => void;
  say: (words: string) => void;
  refresh: () => void;
}) {
  const entered = (changed: boolean) => {
    if (!changed && !button.hasAttribute("disabled") && !running) start();
  };
  const more = { set, complain: say, entered };
  const data = createDataFields({ wire, refresh, ...more });
  // A number that was just written starts as well: whether it can be is for the kernel to say.
  const training = createTrainingFields({ ...more, entered: () => !running && !data.undecided() && start() });
  const summary = createDataSummary({ set });
  let running = false;
  const button = h(
    "button",
    { type: "button", class: "dwt-go", "data-testid": "go", onclick: () => (running ? stop() : start()) },
    "Retrain",
  );
  const heading = (words: string) => h("h3", {}, words);
  const element = h(
    "section",
    { class: "dwt-setup", "aria-label": "What to retrain on, and how" },
    heading("Data"),
    data.element,
    summary.element,
    heading("Training"),
    training.element,
    h("div", { class: "dwt-go-row" }, button),
  );

  /** @param what `asking`: an order is under way */
  const update = ({
    status,
    state,
    asking,
    ...found
  }: {
    status: Status;
    state: TransferState;
    summary: DataSummary | null;
    error: string;
    looking: boolean;
    asking: boolean;
  }) => {
    data.update(status, state);
    training.update(status, state);
    running = status.running !== null;
    const undecided = data.undecided();
    summary.element.hidden = undecided;
    summary.update({ ...found, asked: state.images_per_class });
    setText(button, running ? "Stop" : "Retrain");
    button.dataset.running = String(running);
    const hindered = !running && (undecided || Boolean(found.error) || Boolean(found.summary?.problem) || !found.summary);
    button.toggleAttribute("disabled", asking || hindered);
    button.title = running ? "Stops at the next step; the folds that are done are kept" : "";
  };
  return { element, update, close: data.close };
}
