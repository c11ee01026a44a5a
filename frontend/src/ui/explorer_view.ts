import { errorMessage } from "../kernel/errors.ts";
import type { RenderContext, WidgetModel } from "../kernel/model.ts";
import type { AnyStore } from "../kernel/store.ts";
import { copyToClipboard } from "./clipboard.ts";
import { h, setText } from "./dom.ts";
import { download } from "./download.ts";
import { createFooter, keyHint } from "./footer.ts";
import { createHeader } from "./header.ts";
import { keepFocus } from "./kept_focus.ts";
import { clearsSearch, guardShortcuts, isNotebookShortcut, leaveWidget } from "./keyboard.ts";
import { SavedPicture } from "./picture.ts";
import { PRESENT_HINT, Presentation } from "./presentation.ts";
import { keepScrollPositions } from "./scroll_memory.ts";
import { focusOnce, Showing } from "./showing.ts";
import { sameState, toPython } from "./state.ts";
import { createUnitBadge } from "./unit_badge.ts";

const SAVE_DELAY = 300; // ms; the requests of a user action are sent before the state
const SLOW = "The kernel is slow to reply; still waiting.";
const FREEZE_COMMAND = "deconvwidgets freeze-notebook notebook.ipynb published.ipynb";
const OFFLINE = "Not loaded: without the kernel, only data that was loaded before can be shown.";

/** The detail of the event `deconvwidgets:painted`, for tests and benchmarks. */
export interface Painted {
  kind: string;
  ms?: number;
  [name: string]: unknown;
}

interface Parts {
  /** The accessible name of the widget. */
  label: string;
  className?: string;
  /** Controls in the header. */
  tools: Node[];
  main: Node[];
  /** Elements before and after the status. */
  footer: [Node[], Node[]?];
}

/**
 * The base class of all widget views: the frame (header, alert, footer), the state that is synchronized with Python and other views,
 * keyboard events, and downloads. A subclass creates its elements and calls `mount`.
 */
export abstract class ExplorerView<State extends object, Shared extends AnyStore> {
  state: State;
  readonly root: HTMLElement;
  /** Unique in the page. */
  readonly id: string;
  readonly model: WidgetModel<State>;
  readonly container: HTMLElement;
  protected header: ReturnType<typeof createHeader> | null = null;
  private readonly alert = h("div", { class: "dwx-alert", role: "alert", hidden: true, "data-testid": "alert" });
  private footer: ReturnType<typeof createFooter> | null = null;
  private picture: SavedPicture | null = null;
  private readonly units: ReturnType<typeof createUnitBadge>;
  readonly presentation: Presentation;
  showing: Showing | null = null; // before it is mounted
  private status = "";
  /** The error message of this view. */
  private viewError = "";
  private saving: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  /** The state change that the user requested while the kernel was unavailable. */
  private postponedPatch: Partial<State> | null = null;
  private readonly cleanups: (() => void)[] = [];

  /**
   * @param name the variable name of the widget in Python code that is copied
   * @param testid the `data-testid` of the root element
   */
  constructor(
    { model, el }: RenderContext<State>,
    readonly store: Shared,
    private readonly name: string,
    testid: string,
  ) {
    this.model = model;
    this.container = el;
    this.state = { ...model.get("state") };
    this.id = `dwx-${Math.random().toString(36).slice(2)}`;
    this.root = h("div", { class: "dwx", "data-testid": testid, "data-ready": "false" });
    this.presentation = new Presentation(this.root, this.container);
    this.units = createUnitBadge(store.units, () => void this.showing?.show("TransferPanel", { state: {} }));
  }

  /** Draw the state. Parts update only what has changed. */
  protected abstract draw(): void;

  /** Return whether a state can be shown without requests to the kernel. */
  protected abstract isLoaded(state: State): boolean;

  /** Called after Python or another view has changed the state. */
  protected stateChanged(_before: State): void {}

  /** Called when the kernel is available again. */
  protected onResume(): void {}

  /** Move the focus to the part that the keyboard controls. */
  focusMain(): void {
    focusOnce(this.root);
  }

  /** Handle a key that is not a shortcut of the notebook. Return whether it was handled. */
  protected onKey(_event: KeyboardEvent): boolean {
    return false;
  }

  /** Add the view to the page. */
  protected mount({ label, className = "", tools, main, footer }: Parts): void {
    const present = { type: "button", class: "dwx-menu-button", title: PRESENT_HINT, "data-testid": "present" };
    this.header = createHeader(
      this.units.element,
      h("button", { ...present, onclick: () => this.presentation.toggle() }, "Present"),
      ...tools,
    );
    this.footer = createFooter([...footer[0], keyHint([["F"], "present"])], footer[1]);
    if (className) this.root.classList.add(className);
    const parts = [this.header.element, this.alert, ...main, this.footer.element];
    const frame = h("section", { class: "dwx-frame", "aria-label": label }, ...parts);
    const picture = new SavedPicture({ model: this.model as unknown as WidgetModel, store: this.store, label, frame });
    this.picture = picture;
    this.root.append(frame, picture.element, this.presentation.closeButton);
    const { client } = this.store;
    const resize = () => this.root.style.setProperty("--dwx-height", `${this.model.get("height")}px`);
    const onStateChange = () => this.readState();
    this.showing = new Showing(this);
    resize();
    this.container.classList.add("dwx-host");
    this.container.append(this.root);
    this.root.addEventListener("keydown", (event) => this.keydown(event));
    this.model.on("change:state", onStateChange);
    this.model.on("change:height", resize);
    this.cleanups.push(
      guardShortcuts(this.root),
      keepScrollPositions(this.root),
      () => this.model.off("change:state", onStateChange),
      () => this.model.off("change:height", resize),
      this.store.subscribe(() => this.requestDraw()),
      client.listen({ slow: (slow) => this.showStatus(slow ? SLOW : ""), available: (available) => available && this.resume() }),
      () => client.release(this),
      () => picture.close(),
      () => this.showing?.close(),
      () => this.presentation.leave(),
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

  /** Schedule a draw in the next frame. */
  requestDraw(): void {
    this.frame ||= requestAnimationFrame(() => this.drawAll());
  }

  /** Draw immediately. */
  drawAll(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { problem, client } = this.store;
    this.alert.hidden = !this.alertText();
    setText(this.alert, this.alertText());
    this.root.dataset.available = String(client.available && !(problem && problem === client.reason));
    this.picture?.update();
    this.footer?.showStatus(this.status);
    this.units.update();
    keepFocus(this.root, () => this.draw());
  }

  /** Return the text of the alert. */
  protected alertText(): string {
    return this.store.problem || this.viewError;
  }

  /** Show an error message in the alert until the next user action. */
  showError(message: string): void {
    this.viewError = message;
    this.requestDraw();
  }

  /** Show a message in the footer until the next user action. */
  showStatus(text: string): void {
    this.status = text;
    this.requestDraw();
  }

  /** Remove a message from the footer if it is still shown. */
  protected clearStatus(text: string): void {
    if (this.status === text) this.showStatus("");
  }

  /**
   * Call on a user action: clear the messages and retry failed requests.
   * @param _patch the change of the state
   */
  onUserAction(_patch: Partial<State> = {}): void {
    this.postponedPatch = null;
    this.viewError = "";
    this.showStatus("");
    this.store.onUserAction();
  }

  /** Change the state on a user action. Return false if that needs the kernel and the kernel is unavailable. */
  set(patch: Partial<State>): boolean {
    this.onUserAction(patch);
    const next = { ...this.state, ...patch };
    if (!this.store.client.available && !this.isLoaded(next)) {
      this.postponedPatch = patch;
      this.showStatus(OFFLINE);
      return false;
    }
    this.state = next;
    this.requestDraw();
    this.scheduleSave();
    return true;
  }

  /** Schedule sending the state to Python. */
  scheduleSave(delay = SAVE_DELAY): void {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.saveNow(), delay);
  }

  saveNow(): void {
    clearTimeout(this.saving);
    if (sameState(this.model.get("state"), this.state)) return;
    this.model.set("state", { ...this.state });
    this.model.save_changes();
  }

  /** What the export menu copies: the state as Python code, and the command that makes a copy of the notebook with pictures. */
  readonly copy = {
    state: () => this.copyText(`${this.name}.state = ${toPython(this.state)}`, "Copied the state."),
    freezeCommand: () => this.copyText(FREEZE_COMMAND, "Copied the command: run it in a terminal, after saving the notebook."),
  };

  /** @param done the status after copying; if the browser does not allow copying, the text itself is shown */
  copyText(text: string, done: string): void {
    void copyToClipboard(text).then((copied) => this.showStatus(copied ? done : text));
  }

  /** Request a file from the kernel and save it as a download. */
  async download(kind: string, fields: Record<string, unknown>, name: string): Promise<void> {
    this.onUserAction();
    this.showStatus(`Exporting ${name}…`);
    try {
      if (await download(this.store.client, kind, fields, name)) this.showStatus(`Exported ${name}.`);
    } catch (error) {
      this.showStatus(errorMessage(error));
    }
  }

  /** Dispatch the event `deconvwidgets:painted`. */
  painted(info: Painted): void {
    this.root.dispatchEvent(new CustomEvent("deconvwidgets:painted", { detail: info, bubbles: true }));
  }

  private keydown(event: KeyboardEvent): void {
    if (isNotebookShortcut(event)) return;
    const handled = this.presentation.handleKey(event) || this.onKey(event);
    if (handled) event.preventDefault();
    else if (event.key === "Escape" && !event.defaultPrevented && !clearsSearch(event)) leaveWidget(this.root);
    event.stopPropagation(); // the notebook must not handle it as a shortcut
  }

  private readState(): void {
    const state = this.model.get("state");
    if (sameState(state, this.state)) return;
    clearTimeout(this.saving);
    const previous = this.state;
    this.state = { ...state };
    void this.store.fetchOverview(); // code in a cell moves the widget's replies to the main shell; `hello` moves them back to the subshell
    this.stateChanged(previous);
    this.requestDraw();
  }

  private resume(): void {
    this.onResume();
    const { postponedPatch } = this;
    if (postponedPatch) this.set(postponedPatch);
  }
}
