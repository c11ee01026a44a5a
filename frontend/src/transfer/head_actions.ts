import { blob } from "../kernel/buffers.ts";
import { h, setText } from "../ui/dom.ts";
import { download } from "../ui/export.ts";
import { createMenu } from "../ui/menu.ts";
import type { RunSummary, Status, TransferWire } from "./wire.ts";

const RESULT_FILES: [string, string][] = [
  ["photographs.csv", "Every test photograph as CSV"],
  ["classes.csv", "Classes as CSV"],
  ["results.png", "Results as PNG"],
  ["results.html", "Results as HTML page"],
];

/** What is done with a run's head: using, undoing, saving, loading, and taking the results away as files. */
export class HeadActions {
  wire: TransferWire;
  say: (words: string) => void;
  /** the shown run's summary */
  summary: RunSummary | null;
  busy: boolean;
  words: HTMLElement;
  failure: HTMLElement;
  use: HTMLButtonElement;
  undo: HTMLButtonElement;
  save: HTMLButtonElement;
  load: HTMLButtonElement;
  menu: HTMLElement;
  path: ReturnType<typeof createPath>;
  element: HTMLElement;
  status: Status | null;

  constructor({ wire, say, id }: { wire: TransferWire; say: (words: string) => void; id: string }) {
    this.wire = wire;
    this.say = say;
    this.summary = null;
    this.busy = false;
    this.words = h("p", { class: "dwt-words", role: "status", "data-testid": "head-words", hidden: true });
    this.failure = h("p", { class: "dwx-error", role: "alert", "data-testid": "head-failure", hidden: true });
    const button = (testid: string, words: string, hint: string, act: () => void) =>
      h("button", { type: "button", class: "dwx-menu-button", "data-testid": testid, title: hint, onclick: act }, words);
    this.use = button("use-head", "Use this head", "Let this run's classifier answer, here and in the other widgets on this service", () =>
      this.ask("use", { run: this.summary.run }),
    );
    this.use.classList.add("dwt-primary");
    this.undo = button("undo-head", "Undo", "Answer as before", () => this.ask("undo"));
    this.save = button("save-head", "Save…", "Write this head to a file on the kernel's machine", () =>
      this.path.open("save", `head-run${this.summary.run}.safetensors`),
    );
    this.load = button("load-head", "Load…", "Answer with a head from a file on the kernel's machine", () => this.path.open("load", ""));
    const items = RESULT_FILES.map(([file, words]) => ({ words, testid: `file-${file}`, act: () => this.fetch(file) }));
    this.menu = createMenu({ label: "Take the results away as a file", words: "Export", testid: "results-menu", items });
    this.path = createPath({ id, done: (kind, path) => this.ask(kind, kind === "save" ? { run: this.summary.run, path } : { path }) });
    const row = h("div", { class: "dwt-buttons" }, this.use, this.undo, this.save, this.load, this.menu);
    this.element = h("div", { class: "dwt-head" }, row, this.path.element, this.words, this.failure);
  }

  update(summary: RunSummary | null, status: Status | null) {
    if (summary?.run !== this.summary?.run) this.tell("", ""); // it was said of another run
    this.summary = summary;
    this.status = status;
    this.draw();
  }

  draw() {
    const { summary, status, busy } = this;
    const used = Boolean(summary) && status?.used === summary.run;
    const ready = Boolean(summary?.per_fold.length);
    setText(this.use, used ? "This head answers" : "Use this head");
    this.use.disabled = busy || used || !ready;
    this.undo.disabled = busy || !status?.can_undo;
    this.save.disabled = busy || !ready;
    this.load.disabled = busy;
    this.menu.hidden = !ready;
    this.element.setAttribute("aria-busy", String(busy));
  }

  tell(words: string, failure: string) {
    this.words.hidden = !words;
    this.failure.hidden = !failure;
    setText(this.words, words);
    setText(this.failure, failure);
    if (words) this.say(words);
  }

  async ask(kind: string, fields: Record<string, unknown> = {}) {
    const answer = await this.send(kind, fields);
    if (answer) this.tell(answer.content.words, "");
  }

  async fetch(file: string) {
    const answer = await this.send("file", { run: this.summary.run, file });
    if (!answer) return;
    const { mime, name } = answer.content;
    download(blob(answer.buffers[0], mime), name);
    this.tell(`${name} is in your downloads.`, "");
  }

  async send(kind: string, fields: Record<string, unknown>) {
    this.busy = true;
    this.tell("", "");
    this.draw();
    try {
      return await this.wire.ask(kind, fields);
    } catch (error) {
      this.tell("", error instanceof Error ? error.message : String(error));
      return null;
    } finally {
      this.busy = false;
      this.draw();
    }
  }
}

/** A line to write a path in, shown when one is asked for. */
function createPath({ id, done }: { id: string; done: (kind: string, path: string) => void }) {
  let kind = "save";
  let opener: Element | null = null;
  const known = h("datalist", { id: `${id}-heads` }, h("option", { value: "caltech101" }, "the head that comes with the package"));
  const input = h("input", { type: "text", class: "dwt-path", "data-testid": "head-path", spellcheck: "false" });
  const label = h("label", {}, h("span", { class: "dwt-dim" }, ""), input);
  const go = h("button", { type: "submit", class: "dwx-menu-button", "data-testid": "head-path-go" });
  const no = h("button", { type: "button", class: "dwt-link", onclick: () => close(), "data-testid": "head-path-cancel" }, "Cancel");
  const element = h("form", { class: "dwt-path-row", hidden: true, "data-testid": "head-path-row" }, label, known, go, no);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const path = input.value.trim();
    if (!path) return;
    close();
    done(kind, path);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    event.stopPropagation(); // what is typed here is no shortcut
  });
  const open = (what: "save" | "load", path: string) => {
    kind = what;
    opener = (element.getRootNode() as Document | ShadowRoot).activeElement;
    element.hidden = false;
    setText(label.children[0], what === "save" ? "Save to " : "Load from ");
    setText(go, what === "save" ? "Save" : "Load");
    input.placeholder = what === "save" ? "a path on the kernel's machine" : "caltech101, or a path on the kernel's machine";
    what === "load" ? input.setAttribute("list", known.id) : input.removeAttribute("list");
    input.value = path;
    input.focus();
    input.select();
  };
  const close = () => {
    element.hidden = true;
    if (opener instanceof HTMLElement) opener.focus();
  };
  return { element, open };
}
