import { blob } from "../kernel/buffers.ts";
import { errorMessage, UNAVAILABLE } from "../kernel/errors.ts";
import type { RenderContext, WidgetModel } from "../kernel/model.ts";
import type { Store } from "../kernel/store.ts";
import { h, setText } from "./dom.ts";
import { saveFile } from "./download.ts";
import { createFooter } from "./footer.ts";
import { createHeader } from "./header.ts";
import { guardShortcuts, isNotebookShortcut, leaveWidget } from "./keyboard.ts";
import { sameState, toPython } from "./state.ts";

const SAVE_DELAY = 300; // ms; what the user asked for goes first, then the kernel is told the state
const SLOW = "The kernel is slow to answer; still waiting.";
const OFFLINE = "Not loaded: without the kernel, only what was loaded before can be shown.";

/** What tests and benchmarks are told when something is on the screen. */
export interface Painted {
  kind: string;
  ms?: number;
  [name: string]: unknown;
}

interface Parts {
  /** The widget's name for assistive technology. */
  label: string;
  className?: string;
  /** Controls in the header. */
  tools: Node[];
  main: Node[];
  /** Left and right of the status. */
  footer: [Node[], Node[]?];
}

/**
 * One view of a widget: its frame (header, alert, footer), the state that it shares with Python and other views, the keyboard, and
 * files to download. A subclass builds its parts and calls `mount`.
 */
export abstract class ExplorerView<State extends object, Shared extends Store> {
  state: State;
  readonly root: HTMLElement;
  /** Unique in the page. */
  readonly id: string;
  protected readonly model: WidgetModel<State>;
  protected readonly place: HTMLElement;
  protected header: ReturnType<typeof createHeader> | null = null;
  private readonly alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
  private footer: ReturnType<typeof createFooter> | null = null;
  private status = "";
  /** What went wrong in this view, in words. */
  private failure = "";
  private saving: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  /** What the user asked for while the kernel was unavailable, and could not be shown. */
  private postponed: Partial<State> | null = null;
  private readonly cleanups: (() => void)[] = [];

  /**
   * @param name of the widget's variable in Python examples
   * @param testid of the root
   */
  constructor(
    { model, el }: RenderContext<State>,
    readonly store: Shared,
    private readonly name: string,
    testid: string,
  ) {
    this.model = model;
    this.place = el;
    this.state = { ...model.get("state") };
    this.id = `dwx-${Math.random().toString(36).slice(2)}`;
    this.root = h("div", { class: "dwx", "data-testid": testid, "data-ready": "false" });
  }

  /** Draw everything from the state. Parts change only what is different. */
  protected abstract draw(): void;

  /** Return whether all of a state can be shown without asking the kernel. */
  protected abstract isLoaded(state: State): boolean;

  /** The state was changed by Python or another view. */
  protected stateChanged(_before: State): void {}

  /** The kernel answers again. */
  protected resumed(): void {}

  /** Take a key; the notebook's own do not come here. Return whether it was used. */
  protected onKey(_event: KeyboardEvent): boolean {
    return false;
  }

  /** Put the view in its place. */
  protected mount({ label, className = "", tools, main, footer }: Parts): void {
    this.header = createHeader(...tools);
    this.footer = createFooter(...footer);
    if (className) this.root.classList.add(className);
    const parts = [this.header.element, this.alert, ...main, this.footer.element];
    this.root.append(h("section", { class: "dwx-frame", "aria-label": label }, ...parts));
    const resize = () => this.root.style.setProperty("--dwx-height", `${this.model.get("height")}px`);
    const follow = () => this.readState();
    const { client } = this.store;
    resize();
    this.place.classList.add("dwx-host");
    this.place.append(this.root);
    this.root.addEventListener("keydown", (event) => this.keydown(event));
    this.model.on("change:state", follow);
    this.model.on("change:height", resize);
    this.cleanups.push(
      guardShortcuts(this.root),
      () => this.model.off("change:state", follow),
      () => this.model.off("change:height", resize),
      this.store.subscribe(() => this.requestDraw()),
      client.listen({ slow: (slow) => this.say(slow ? SLOW : ""), available: (available) => available && this.resume() }),
      () => client.release(this),
    );
    this.requestDraw();
    void this.store.fetchOverview();
  }

  close(): void {
    this.saveNow();
    for (const cleanup of this.cleanups) cleanup();
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  /** Draw in the next frame, once. */
  requestDraw(): void {
    this.frame ||= requestAnimationFrame(() => this.drawAll());
  }

  /** Draw now. */
  drawAll(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { problem, client } = this.store;
    this.alert.hidden = !this.alertText();
    setText(this.alert, this.alertText());
    this.root.dataset.available = String(client.available && problem !== UNAVAILABLE);
    this.footer?.say(this.status);
    this.draw();
  }

  /** Return what the alert says. */
  protected alertText(): string {
    return this.store.problem || this.failure;
  }

  /** Show what went wrong in the alert, until the user does something else. */
  fail(message: string): void {
    this.failure = message;
    this.requestDraw();
  }

  /** Show a line in the footer, until the user does something else. */
  say(words: string): void {
    this.status = words;
    this.requestDraw();
  }

  /** Show a line that is right only until something else is known. */
  protected unsay(words: string): void {
    if (this.status === words) this.say("");
  }

  /**
   * The user does something: what went wrong before is over, and an unavailable kernel is asked again.
   * @param _patch of the state
   */
  userActed(_patch: Partial<State> = {}): void {
    this.postponed = null;
    this.failure = "";
    this.say("");
    this.store.userActed();
  }

  /** Change the state, as the user asked. Return whether it was changed: not where the kernel, which is unavailable, would be needed. */
  set(patch: Partial<State>): boolean {
    this.userActed(patch);
    const next = { ...this.state, ...patch };
    if (!this.store.client.available && !this.isLoaded(next)) {
      this.postponed = patch;
      this.say(OFFLINE);
      return false;
    }
    this.state = next;
    this.requestDraw();
    this.saveSoon();
    return true;
  }

  /** Tell Python the state soon. */
  saveSoon(delay = SAVE_DELAY): void {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.saveNow(), delay);
  }

  saveNow(): void {
    clearTimeout(this.saving);
    if (sameState(this.model.get("state"), this.state)) return;
    this.model.set("state", { ...this.state });
    this.model.save_changes();
  }

  /** Copy the state as a line of Python. */
  copyState(): void {
    this.copyText(`${this.name}.state = ${toPython(this.state)}`, "Copied the state.");
  }

  /** @param done what the footer says then; the text itself where the browser does not allow copying */
  copyText(text: string, done: string): void {
    const written = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject(new Error("no clipboard"));
    written.then(
      () => this.say(done),
      () => this.say(text),
    );
  }

  /** Ask the kernel for a file and hand it to the browser's downloads. */
  async download(kind: string, fields: Record<string, unknown>, name: string): Promise<void> {
    this.userActed();
    this.say(`Creating ${name}…`);
    try {
      const reply = await this.store.client.request<{ mime: string }>(kind, fields, { policy: "once", lane: "work" });
      if (!reply) return;
      saveFile(blob(reply.buffers[0], reply.content.mime), name);
      this.say(`Saved ${name}.`);
    } catch (error) {
      this.say(errorMessage(error));
    }
  }

  /** Tell tests and benchmarks. */
  painted(info: Painted): void {
    this.root.dispatchEvent(new CustomEvent("deconvwidgets:painted", { detail: info, bubbles: true }));
  }

  private keydown(event: KeyboardEvent): void {
    if (isNotebookShortcut(event)) return;
    const used = this.onKey(event);
    if (used) event.preventDefault();
    else if (event.key === "Escape" && !event.defaultPrevented && !isSearch(event.target)) leaveWidget(this.root);
    event.stopPropagation(); // the notebook's own keys would change its cells
  }

  private readState(): void {
    const state = this.model.get("state");
    if (sameState(state, this.state)) return;
    clearTimeout(this.saving);
    const before = this.state;
    this.state = { ...state };
    void this.store.fetchOverview(); // a cell that touched the widget has bound its replies to the cell's shell; a greeting frees them
    this.stateChanged(before);
    this.requestDraw();
  }

  private resume(): void {
    this.resumed();
    const { postponed } = this;
    if (postponed) this.set(postponed);
  }
}

/** In a search field, Escape empties it. */
function isSearch(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type === "search" && target.value !== "";
}
