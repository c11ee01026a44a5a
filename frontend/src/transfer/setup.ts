/** The form: what to train on, how, and the button. */
import type { KernelClient } from "../kernel/client.ts";
import { h, setText } from "../ui/dom.ts";
import { createDataFields } from "./data_fields.ts";
import { createDataSummary, type DataContent } from "./data_summary.ts";
import { createTrainingFields } from "./training_fields.ts";
import type { Settings, Status, TransferState } from "./wire.ts";

/** Return the settings of a state, as the kernel takes them. */
export function settingsOf(state: Settings): Settings {
  const { data, root, layer, images_per_class, folds, weight_decay, views, seed, curve } = state;
  return { data, root, layer, images_per_class, folds, weight_decay, views, seed, curve };
}

interface SetupContent extends Omit<DataContent, "asked"> {
  status: Status;
  state: TransferState;
  /** Whether a start or stop has not been answered yet. */
  busy: boolean;
  available: boolean;
}

export function createSetup({
  client,
  set,
  start,
  stop,
  showStatus,
  refresh,
}: {
  client: KernelClient;
  set: (patch: Partial<TransferState>) => void;
  start: () => void;
  stop: () => void;
  showStatus: (words: string) => void;
  refresh: () => void;
}) {
  let running = false;
  const onclick = () => (running ? stop() : start());
  const button = h("button", { type: "button", class: "dwt-go", "data-testid": "go", onclick }, "Retrain");
  const startUnchanged = (changed: boolean) => {
    if (!changed && !button.disabled && !running) start();
  };
  // A number that was just typed starts as well: the kernel says whether that is possible.
  const startAnyway = () => {
    if (!running && !data.isPending()) start();
  };
  const data = createDataFields({ client, set, refresh, showStatus, entered: startUnchanged });
  const training = createTrainingFields({ set, showStatus, entered: startAnyway });
  const summary = createDataSummary({ set });
  const element = h(
    "section",
    { class: "dwt-setup", "aria-label": "Settings" },
    h("h3", {}, "Data"),
    data.element,
    summary.element,
    h("h3", {}, "Training"),
    training.element,
    h("div", { class: "dwt-go-row" }, button),
  );

  const update = ({ status, state, busy, available, ...content }: SetupContent) => {
    data.update(status, state);
    training.update(status, state);
    running = status.running !== null;
    const pending = data.isPending();
    summary.element.hidden = pending;
    summary.update({ ...content, asked: state.images_per_class });
    setText(button, running ? "Stop" : "Retrain");
    button.dataset.running = String(running);
    const impossible = !running && (pending || Boolean(content.error) || !content.summary || Boolean(content.summary.problem));
    button.disabled = busy || impossible || !available;
    button.title = running ? "Stop at the next step; the folds that are done are kept" : "";
  };
  return { element, update, close: data.close };
}
