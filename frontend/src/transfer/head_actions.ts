import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { focusedElement, h, setText } from "../ui/dom.ts";
import type { RunSummary, Status } from "./wire.ts";

const MUTE_HINT = "Train this head again without some units, on the same photographs, and compare the results";
const USE_HINT = "Use the classifier of this run (its head) in all widgets of the service";

type PathKind = "save_head" | "load_head" | "solve_again";

const FORMS: Record<PathKind, { label: string; submit: string; placeholder: string; list: boolean }> = {
  save_head: { label: "Save to ", submit: "Save", placeholder: "a path on the kernel's machine", list: false },
  load_head: { label: "Load from ", submit: "Load", placeholder: "caltech101, or a path on the kernel's machine", list: true },
  solve_again: { label: "Train without units ", submit: "Solve again", placeholder: "conv5 133, 254", list: false },
};

interface HeadActionsOptions {
  client: KernelClient;
  showStatus: (text: string) => void;
  /** Show the newest run. */
  showNewest: () => void;
  /** Return the units that are switched off, "conv5 133, 254". */
  unitsOff: () => string;
  /** Unique in the page. */
  id: string;
}

/** Buttons to use, undo, save and load the head of a run. */
export class HeadActions {
  readonly element: HTMLElement;
  private readonly message = h("p", { class: "dwt-message", role: "status", "data-testid": "head-words", hidden: true });
  private readonly error = h("p", { class: "dwx-error", role: "alert", "data-testid": "head-failure", hidden: true });
  private readonly use = createButton("use-head", "Use this head", USE_HINT, () => void this.perform("use_head", { run: this.run }));
  private readonly undo = createButton("undo-head", "Undo", "Use the previous classifier again", () => void this.perform("undo_head"));
  private readonly save = createButton("save-head", "Save head…", "Save the classifier of this run to a file on the kernel's machine", () =>
    this.openPath("save_head"),
  );
  private readonly load = createButton("load-head", "Load head…", "Load a classifier from a file on the kernel's machine, and use it", () =>
    this.openPath("load_head"),
  );
  private readonly mute = createButton("mute-units", "Mute units…", MUTE_HINT, () => this.openPath("solve_again"));
  private readonly path: ReturnType<typeof createPathForm>;
  private summary: RunSummary | null = null;
  private status: Status | null = null;
  private busy = false;

  constructor(private readonly options: HeadActionsOptions) {
    this.use.classList.add("dwt-primary");
    const submitPath = (kind: PathKind, path: string) => void this.submit(kind, path);
    this.path = createPathForm({ id: options.id, done: submitPath });
    const row = h("div", { class: "dwt-buttons" }, this.use, this.undo, this.save, this.load, this.mute);
    this.element = h("div", { class: "dwt-head" }, row, this.path.element, this.message, this.error);
  }

  update(summary: RunSummary | null, status: Status | null): void {
    if (summary?.run !== this.summary?.run) this.showMessage("", "");
    this.summary = summary;
    this.status = status;
    this.draw();
  }

  private get run(): number {
    return this.summary?.run ?? 0;
  }

  private draw(): void {
    const { summary, status, busy } = this;
    const used = summary !== null && status?.used === summary.run;
    const ready = Boolean(summary?.per_fold.length);
    setText(this.use, used ? "Head in use" : "Use this head");
    this.use.disabled = busy || used || !ready;
    this.undo.disabled = busy || !status?.can_undo;
    this.save.disabled = busy || !ready;
    this.load.disabled = busy;
    this.mute.disabled = busy || !(ready || status?.classifier); // without a run, the head in use is trained again
    this.element.setAttribute("aria-busy", String(busy));
  }

  private openPath(kind: PathKind): void {
    const initial: Partial<Record<PathKind, string>> = {
      save_head: `head-run${this.run}.safetensors`,
      solve_again: this.options.unitsOff(),
    };
    this.path.open(kind, initial[kind] ?? "");
  }

  private async submit(kind: PathKind, text: string): Promise<void> {
    if (kind !== "solve_again") return this.perform(kind, kind === "save_head" ? { run: this.run, path: text } : { path: text });
    await this.perform(kind, { run: this.summary?.per_fold.length ? this.run : null, units: text });
    if (this.error.hidden) this.options.showNewest();
  }

  private showMessage(message: string, error: string): void {
    this.message.hidden = !message;
    this.error.hidden = !error;
    setText(this.message, message);
    setText(this.error, error);
    if (message) this.options.showStatus(message);
  }

  private async perform(kind: string, fields: Record<string, unknown> = {}): Promise<void> {
    const reply = await this.send<{ message: string }>(kind, fields);
    if (reply) this.showMessage(reply.content.message, "");
  }

  private async send<Content>(kind: string, fields: Record<string, unknown>) {
    this.busy = true;
    this.showMessage("", "");
    this.draw();
    try {
      return await this.options.client.request<Content>(kind, fields, { policy: "once", lane: "work" });
    } catch (error) {
      this.showMessage("", errorMessage(error));
      return null;
    } finally {
      this.busy = false;
      this.draw();
    }
  }
}

function createButton(testid: string, text: string, title: string, onclick: () => void): HTMLButtonElement {
  return h("button", { type: "button", class: "dwx-menu-button", "data-testid": testid, title, onclick }, text);
}

/** Create the form for the path of a head, which is hidden until a button opens it. */
function createPathForm({ id, done }: { id: string; done: (kind: PathKind, path: string) => void }) {
  let kind: PathKind = "save_head";
  let opener: Element | null = null;
  const bundledHeads = h("datalist", { id: `${id}-heads` }, h("option", { value: "caltech101" }, "the bundled head"));
  const input = h("input", { type: "text", class: "dwt-path", "data-testid": "head-path", spellcheck: "false" });
  const name = h("span", { class: "dwc-dim" });
  const submit = h("button", { type: "submit", class: "dwx-menu-button", "data-testid": "head-path-go" });
  const cancelButton = { type: "button", class: "dwc-link", "data-testid": "head-path-cancel", onclick: () => close() };
  const cancel = h("button", cancelButton, "Cancel");
  const form = { class: "dwt-path-row", hidden: true, "data-testid": "head-path-row" };
  const element = h("form", form, h("label", {}, name, input), bundledHeads, submit, cancel);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const path = input.value.trim();
    if (!path) return;
    close();
    done(kind, path);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  });
  const open = (newKind: PathKind, path: string) => {
    kind = newKind;
    opener = focusedElement(element);
    element.hidden = false;
    const form = FORMS[newKind];
    setText(name, form.label);
    setText(submit, form.submit);
    input.placeholder = form.placeholder;
    if (form.list) input.setAttribute("list", bundledHeads.id);
    else input.removeAttribute("list");
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
