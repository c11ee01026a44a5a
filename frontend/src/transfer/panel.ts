import { h, setText } from "../ui/dom.ts";
import { isForLab } from "../ui/keyboard.ts";
import { createMenu } from "../ui/menu.ts";
import { SILENCE } from "../kernel/queue.ts";
import { createLive } from "./run_view.ts";
import { createResults } from "./results.ts";
import { shownRun } from "./run_results.ts";
import { createSetup, settingsOf } from "./setup.ts";
import { TransferWire } from "./wire.ts";
import { WidgetView, errorWords } from "../ui/explorer_view.ts";

/** What is retrained, and whose classes it answers with now: the panel's head. */
function createTitle({ copy }: { copy: () => void }) {
  const name = h("b", { class: "dwx-model" });
  const title = h(
    "span",
    { class: "dwx-title", "data-testid": "title" },
    "waiting for the kernel: it answers when the running cells are done",
  );
  const origin = h("span", { class: "dwx-origin", "data-testid": "origin" });
  const untrained = h("span", { class: "dwx-untrained", hidden: true }, "untrained: random weights");
  const menu = createMenu({
    label: "More",
    testid: "panel-menu",
    items: [{ words: "Copy state as Python", testid: "copy-state", act: copy }],
  });
  const words = h("div", { class: "dwx-words" }, h("div", { class: "dwx-line" }, name, untrained, title), origin);
  const element = h("header", { class: "dwx-header" }, h("div", { class: "dwx-top" }, words, menu));
  const update = (overview: any, status: any) => {
    setText(name, overview.model);
    untrained.hidden = overview.trained;
    setText(title, "retrain its softmax classifier on other photographs");
    const classes = status.classifier ? `answers now with: ${status.classifier}` : "no classifier yet";
    setText(origin, [overview.weights, classes, overview.device].join(" · "));
    origin.title = origin.textContent ?? "";
  };
  return { element, update };
}

/** One view of a TransferPanel: the state, and what the user does with it. */
class TransferView extends WidgetView {
  status: any;
  /** what is known of the data: its settings, summary and trouble */
  data: { key: string; summary: any; error: string; looking: boolean };
  asking: string;
  coming: Promise<void> | null;
  next: Promise<void> | null;
  wire: TransferWire;
  title: ReturnType<typeof createTitle> | undefined;
  alert: HTMLElement | undefined;
  setup:
    ReturnType<typeof createSetup> | undefined;
  live:
    ReturnType<typeof createLive> | undefined;
  results: ReturnType<typeof createResults> | undefined;
  footer: HTMLElement | undefined;

  constructor({ model, el }: { model: any; el: HTMLElement }) {
    super(model, "panel");
    this.status = null;
    this.data = { key: "", summary: null as any, error: "", looking: false };
    this.asking = ""; // "start" or "stop" until the kernel has answered
    this.coming = null; // the status that is asked for
    this.next = null; // and the one after it
    this.wire = new TransferWire(model, this.listeners);
    this.open(this.build(), el);
  }

  /** The parts of the view, in their places. */
  build(): HTMLElement {
    const set = (patch: any) => this.set(patch);
    const say = (words: string) => this.say(words);
    this.title = createTitle({ copy: () => this.copyState() });
    this.alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
    this.setup = createSetup({
      wire: this.wire,
      set,
      say,
      start: () => this.start(),
      stop: () => this.stop(),
      refresh: () => this.later(),
    });
    this.live = createLive({ model: this.model, wire: this.wire, set });
    this.results = createResults({ wire: this.wire, set, say, id: `dwt-${this.wire.view}` });
    this.footer = h("span", { class: "dwx-status", role: "status", "aria-live": "polite", "data-testid": "status" });
    const keys = h("span", { class: "dwx-hint" }, h("kbd", {}, "Enter"), " in a box of the form retrains");
    const main = h("div", { class: "dwt-main" }, this.setup.element, this.live.element, this.results.element);
    const frame = h(
      "div",
      { class: "dwx-frame" },
      this.title.element,
      this.alert,
      main,
      h("footer", { class: "dwx-footer" }, keys, this.footer),
    );
    const root = h("div", { class: "dwx dwt", "data-testid": "transfer-panel", "data-ready": "false" }, frame);
    root.addEventListener("keydown", (event) => {
      if (!isForLab(event)) event.stopPropagation(); // the notebook's own keys would delete cells
    });
    return root;
  }

  close() {
    for (const part of [this.setup, this.live, this.results, this.wire]) part.close();
    super.close();
  }

  /** Ask for everything; the request greets the kernel, too, which then answers this view while cells run. */
  greet() {
    void this.readAll();
  }

  async readAll() {
    try {
      const answer = await this.wire.ask("hello");
      if (!answer) return;
      ({ overview: this.overview, status: this.status } = answer.content);
      this.trouble = "";
      this.data.key = ""; // the photographs may be others
    } catch (error) {
      this.trouble = errorWords(error);
    }
    this.later();
  }

  /** Ask for the status, one at a time: those who ask meanwhile share the next. */
  look(): Promise<void> {
    if (this.coming) {
      this.next ??= this.coming.then(() => {
        this.next = null;
        return this.look();
      });
      return this.next;
    }
    this.coming = this.readStatus().finally(() => {
      this.coming = null;
    });
    return this.coming;
  }

  async readStatus() {
    try {
      const answer = await this.wire.ask("status");
      if (answer) this.status = answer.content.status;
    } catch (error) {
      this.trouble = errorWords(error);
    }
    this.later();
  }

  event({ event, message }: any) {
    if (event === "failed") this.fail(message);
    else if (event === "changed" || !this.overview) this.greet();
    else if (event === "transfer") void this.look();
  }

  /** Change the state, as the user asked. */
  set(patch: any) {
    this.moved();
    this.state = { ...this.state, ...patch };
    this.later();
    this.saveSoon("tab" in patch || "run" in patch ? 0 : undefined); // which chart is drawn is the kernel's to know
  }

  /** The user does something: what went wrong before is over, and a silent kernel is asked again. */
  moved() {
    this.words = "";
    if (this.trouble && this.trouble !== SILENCE) this.trouble = "";
    if (!this.overview || this.wire.silent) this.greet();
  }

  /** What is known of the data, asked for where it is not. */
  async lookAtData() {
    const { data, root, images_per_class, layer } = this.state;
    const key = JSON.stringify([data, root, images_per_class, layer]);
    if (!this.status || key === this.data.key) return;
    const other = JSON.stringify([data, root]) !== JSON.stringify(JSON.parse(this.data.key || "[]").slice(0, 2));
    this.data = { key, summary: other && this.data.key ? null : this.data.summary, error: "", looking: true };
    try {
      const answer = await this.wire.ask("data", { settings: settingsOf(this.state) });
      if (!answer || this.data.key !== key) return;
      this.data = { key, summary: answer.content.summary, error: "", looking: false };
    } catch (error) {
      if (this.data.key === key) this.data = { key, summary: null, error: errorWords(error), looking: false };
    }
    this.later();
  }

  /** Everything from the state and the status. */
  refresh() {
    const { overview, status, state } = this;
    this.alert.hidden = !this.trouble;
    setText(this.alert, this.trouble);
    this.root.dataset.ready = String(Boolean(overview && status));
    if (overview && status) {
      void this.lookAtData();
      this.title.update(overview, status);
      const { summary, error, looking } = this.data;
      this.setup.update({ status, state, summary, error, looking, asking: this.asking !== "" });
      this.live.update({ shown: shownRun(status, state), running: status.running, state });
      this.results.update({ status, state });
    }
    setText(this.footer, this.words);
  }

  start() {
    this.state = { ...this.state, run: null, cell: null, tab: "training" };
    this.saveNow();
    void this.order("start", { settings: settingsOf(this.state) });
  }

  stop() {
    void this.order("stop", {});
  }

  async order(kind: "start" | "stop", fields: any) {
    if (this.asking) return;
    this.moved();
    this.asking = kind;
    this.later();
    try {
      await this.wire.ask(kind, fields);
    } catch (error) {
      this.trouble = errorWords(error);
    }
    await this.look();
    this.asking = "";
    this.later();
  }
}

function render(context: { model: any; el: HTMLElement }) {
  const view = new TransferView(context);
  return () => view.close();
}

export default { render };
export { createResults }; // for tests
