/** The form: data, training settings, and the button. */

import { createDataFields } from "../classification/data_fields.ts";
import type { KernelClient } from "../kernel/client.ts";
import { h, setText } from "../ui/dom.ts";
import { createDataSummary, type DataContent } from "./data_summary.ts";
import { createTrainingFields } from "./training_fields.ts";
import type { Settings, Status, TransferState } from "./wire.ts";
import { createZipUpload } from "./zip_upload.ts";

/** Return the settings of a state, in the format of the kernel. */
export function settingsOf(state: Settings): Settings {
  const { data, root, layer, images_per_class, folds, weight_decay, views, seed, curve } = state;
  return { data, root, layer, images_per_class, folds, weight_decay, views, seed, curve };
}

interface SetupContent extends Omit<DataContent, "requested"> {
  status: Status;
  state: TransferState;
  /** The service's machine, if it is another one than the kernel's. */
  host: string;
  /** Whether a request to start or stop is pending. */
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
  showStatus: (text: string) => void;
  refresh: () => void;
}) {
  let running = false;
  const onclick = () => (running ? stop() : start());
  const button = h("button", { type: "button", class: "dwx-start", "data-testid": "go", onclick }, "Retrain");
  const startUnchanged = (changed: boolean) => {
    if (!changed && !button.disabled && !running) start();
  };
  // Start with a new number before its data summary is loaded: the kernel validates the settings.
  const startWithoutSummary = () => {
    if (!running && !data.isPending()) start();
  };
  const createUpload = (done: (data: string, name: string) => void) => createZipUpload({ client, done });
  const data = createDataFields({ set, refresh, createUpload, showStatus, onEnter: startUnchanged });
  const training = createTrainingFields({ set, showStatus, onEnter: startWithoutSummary });
  const summary = createDataSummary({ set });
  const element = h(
    "section",
    { class: "dwt-setup", "aria-label": "Settings" },
    h("h3", {}, "Data"),
    data.element,
    summary.element,
    h("h3", {}, "Training"),
    training.element,
    h("div", { class: "dwx-start-row" }, button),
  );

  const update = ({ status, state, host, busy, available, ...content }: SetupContent) => {
    data.update(status, state, host);
    training.update(status, state);
    running = status.running !== null;
    const pending = data.isPending();
    summary.element.hidden = pending;
    summary.update({ ...content, requested: state.images_per_class });
    setText(button, running ? "Stop" : "Retrain");
    button.dataset.running = String(running);
    const notReady = !running && (pending || Boolean(content.error) || !content.summary || Boolean(content.summary.problem));
    button.disabled = busy || notReady || !available;
    button.title = running ? "Stop at the next step; completed folds are kept" : "";
  };
  return { element, update, close: data.close };
}
