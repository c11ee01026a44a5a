import { sameState, toPython } from "./export.ts";
import { guardShortcuts } from "./keyboard.ts";
import type { WidgetModel } from "../kernel/model.ts";
import { SILENCE } from "../kernel/queue.ts";
import type { Overview, ServiceEvent } from "../kernel/wire.ts";

/* What every view of a widget is: a state that it shares with the kernel, one drawing a frame, and words for what goes wrong. */

const KEPT_AFTER = 300; // ms: what was asked for comes first, then the kernel is told where we are
const SLOW_WORDS = "The kernel is slow to answer; still waiting.";

export function errorWords(error: unknown) {
  return error instanceof Error ? error.message : String(error);
}

/** What benchmarks and tests are told when something is on the screen. */
export interface Painted {
  kind: string;
  ms?: number;
  [name: string]: unknown;
}

/** Of each widget: `greet` asks the kernel for everything, `refresh` draws from the state. */
export class WidgetView<State extends object, Facts extends Overview = Overview> {
  model: WidgetModel<State>;
  name: string;
  state: State;
  overview: Facts | null;
  words: string;
  trouble: string;
  saving: number;
  frame: number;
  listeners: { silence: (silent: boolean) => void; slow: (slow: boolean) => void; event: (message: ServiceEvent) => void };
  follow: () => void;
  resize: () => void | undefined;
  root: HTMLElement | undefined;
  unguard: (() => void) | undefined;

  /**
   * @param model anywidget's
   * @param name what examples call the widget in Python
   */
  constructor(model: WidgetModel<State>, name: string) {
    this.model = model;
    this.name = name;
    this.state = { ...model.get("state") };
    this.overview = null;
    this.words = "";
    this.trouble = "";
    this.saving = 0;
    this.frame = 0;
    this.listeners = {
      silence: (silent: boolean) => this.silence(silent),
      slow: (slow: boolean) => this.say(slow ? SLOW_WORDS : ""),
      event: (message: ServiceEvent) => this.event(message),
    };
    this.follow = () => this.stateFromKernel();
    this.resize = () => this.root?.style.setProperty("--dwx-height", `${model.get("height")}px`);
  }

  greet() {}

  refresh() {}

  /** @param message an event of the service */
  event(_message: ServiceEvent) {}

  /** The state is another one, as Python or another view of this widget set it. */
  followState(_before: State) {}

  /** Put the view in its place, and begin. */
  open(root: HTMLElement, place: HTMLElement) {
    this.root = root;
    this.resize();
    place.classList.add("dwx-host");
    place.append(root);
    this.unguard = guardShortcuts(root);
    this.model.on("change:state", this.follow);
    this.model.on("change:height", this.resize);
    this.greet();
  }

  close() {
    this.saveNow();
    this.model.off("change:state", this.follow);
    this.model.off("change:height", this.resize);
    this.unguard?.();
    cancelAnimationFrame(this.frame);
    this.root?.remove();
  }

  /** Draw in the next frame, once. */
  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.refresh();
    });
  }

  say(words: string) {
    this.words = words;
    this.later();
  }

  fail(words: string) {
    this.trouble = words;
    this.later();
  }

  silence(silent: boolean) {
    if (silent) this.fail(SILENCE);
    else if (this.trouble === SILENCE) {
      this.fail("");
      this.greet();
    }
  }

  /**
   * Tell the kernel of the state, after a while.
   * @param after ms
   */
  saveSoon(after: number = KEPT_AFTER) {
    clearTimeout(this.saving);
    this.saving = window.setTimeout(() => this.saveNow(), after);
  }

  saveNow() {
    clearTimeout(this.saving);
    if (sameState(this.model.get("state"), this.state)) return;
    this.model.set("state", { ...this.state });
    this.model.save_changes();
  }

  stateFromKernel() {
    const state = this.model.get("state");
    if (sameState(state, this.state)) return;
    clearTimeout(this.saving);
    const before = this.state;
    this.state = { ...state };
    // A cell that touched the widget has bound its answers to the cell's shell; a greeting frees them.
    this.greet();
    this.followState(before);
    this.later();
  }

  /** The state, to be pasted into a cell. */
  copyState() {
    this.copy(`${this.name}.state = ${toPython(this.state)}`, "Copied the state");
  }

  copy(text: string, done: string) {
    if (navigator.clipboard)
      navigator.clipboard.writeText(text).then(
        () => this.say(done),
        () => this.say(text),
      );
    else this.say(text);
  }
}
