/** The form: the photographs, how their classes match the model's, and the button. */
import { createDataFields } from "../classification/data_fields.ts";
import { UserError } from "../kernel/errors.ts";
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import { createTextField } from "../ui/text_field.ts";
import { describeMatches } from "./texts.ts";
import type { DataSummary, EvaluationState, Settings, Status } from "./wire.ts";

const LIMIT_HINT = "At most so many photographs, evenly spaced over the image set; empty: all";
const AUTOMATIC_HINT = "Evaluate again when a head is put on the model, or units are switched off, and show what changed";

/** Return the settings of a state, in the format of the kernel. */
export function settingsOf({ data, root, limit, mapping, threshold, automatic }: Settings): Settings {
  return { data, root, limit, mapping, threshold, automatic };
}

export function parseLimit(text: string): number | null {
  if (!text || text.toLowerCase() === "all") return null;
  const limit = Number(text.replaceAll(",", ""));
  if (!Number.isInteger(limit) || limit < 1) throw new UserError("enter a number of photographs, 1 or more, or leave it empty for all");
  return limit;
}

interface SetupOptions {
  set: (patch: Partial<EvaluationState>) => void;
  start: () => void;
  stop: () => void;
  showStatus: (text: string) => void;
  refresh: () => void;
}

interface SetupContent {
  status: Status;
  state: EvaluationState;
  /** The service's machine, if it is another one than the kernel's. */
  host: string;
  summary: DataSummary | null;
  error: string;
  loading: boolean;
  /** Whether a request to start or stop is pending. */
  busy: boolean;
  available: boolean;
}

export function createSetup({ set, start, stop, showStatus, refresh }: SetupOptions) {
  let running = false;
  const onclick = () => (running ? stop() : start());
  const button = h("button", { type: "button", class: "dwx-start", "data-testid": "go", onclick }, "Evaluate");
  const onEnter = (changed: boolean) => {
    if (!changed && !button.disabled && !running) start();
  };
  const data = createDataFields({ set, refresh, showStatus, onEnter });
  const limit = createTextField({
    label: "At most",
    testid: "limit",
    wide: true,
    numeric: true,
    placeholder: "all photographs",
    hint: LIMIT_HINT,
    parse: parseLimit,
    accept: (value) => set({ limit: value }),
    showStatus,
    onEnter,
  });
  const automatic = h("input", { type: "checkbox", "data-testid": "automatic" });
  automatic.addEventListener("change", () => set({ automatic: automatic.checked }));
  const again = h("label", { class: "dwe-check", title: AUTOMATIC_HINT }, automatic, "Evaluate again when the model changes");
  const summary = createSummary(set);
  const parts = [h("h3", {}, "Data"), data.element, summary.element, h("div", { class: "dwx-fields" }, limit.element), again];
  const element = h("section", { class: "dwe-setup", "aria-label": "Settings" }, ...parts, h("div", { class: "dwx-start-row" }, button));

  const update = ({ status, state, host, busy, available, ...content }: SetupContent) => {
    data.update(status, state, host);
    limit.show(state.limit === null ? "" : String(state.limit));
    automatic.checked = state.automatic;
    running = status.running !== null;
    summary.element.hidden = data.isPending();
    summary.update({ ...content, problem: status.problem ?? content.summary?.problem ?? "" });
    setText(button, running ? "Stop" : "Evaluate");
    button.dataset.running = String(running);
    const problem = content.error || status.problem || content.summary?.problem;
    const notReady = !running && (data.isPending() || Boolean(problem) || !content.summary);
    button.disabled = busy || notReady || !available;
    button.title = running ? "Stop at the next batch; what was evaluated is kept" : "";
  };
  return { element, update, close: data.close };
}

/** Create the summary of the photographs, with a link to the table of class names. */
function createSummary(set: SetupOptions["set"]) {
  const waiting = h("p", { class: "dwc-dim", "data-testid": "data-looking" }, "Reading the folders…");
  const name = h("b", {});
  const facts = h("p", { class: "dwc-dim", "data-testid": "data-facts" });
  const matches = h("p", { class: "dwc-dim", "data-testid": "data-matches" });
  const openProperties = { type: "button", class: "dwc-link", "data-testid": "open-names", onclick: () => set({ show: "names" }) };
  const open = h("button", openProperties, "Class names…");
  const notes = h("ul", { class: "dwc-dim", "data-testid": "data-notes" });
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "data-problem" });
  const parts = [waiting, name, facts, matches, notes, open, problem];
  const element = h("div", { class: "dwe-data", "data-testid": "data-summary" }, ...parts);

  const update = ({
    summary,
    error,
    loading,
    problem: told,
  }: Pick<SetupContent, "summary" | "error" | "loading"> & { problem: string }) => {
    element.dataset.ready = String(!loading);
    waiting.hidden = !loading || Boolean(summary);
    for (const part of [name, facts, notes]) part.hidden = !summary;
    matches.hidden = open.hidden = !summary?.matches.length;
    setText(problem, error || told);
    problem.hidden = !problem.textContent;
    if (!summary) return;
    setText(name, summary.name);
    setText(facts, describeFacts(summary));
    setText(matches, describeMatches(summary));
    const skipped = summary.skipped.map(({ name: file, reason }) => `${file}: ${reason}`);
    notes.replaceChildren(...summary.notes.map((note) => h("li", { title: skipped.join("\n") || null }, note)));
  };
  return { element, update };
}

function describeFacts({ photographs, labelled, matched, matches }: DataSummary): string {
  const parts = [formatCount(photographs, "photograph")];
  if (labelled < photographs) parts.push(`${formatInteger(labelled)} with a label`);
  if (matches.length && matched < labelled) parts.push(`${formatInteger(matched)} of a class that the model has`);
  return parts.join(" · ");
}
