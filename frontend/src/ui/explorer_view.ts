import { sameState, toPython } from "./exporting.js";
import { guardShortcuts } from "./keys.js";
import { SILENCE } from "./queue.js";

/* What every view of a widget is: a state that it shares with the kernel, one drawing a frame, and words for what goes wrong. */

const KEPT_AFTER = 300; // ms: what was asked for comes first, then the kernel is told where we are
const SLOW_WORDS = "The kernel is slow to answer; still waiting.";

/** @param {unknown} error */
export function errorWords(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Of each widget: `greet` asks the kernel for everything, `refresh` draws from the state. */
export class WidgetView {
  /** @param {any} model anywidget's @param {string} name what examples call the widget in Python */
  constructor(model, name) {
    this.model = model;
    this.name = name;
    this.state = { ...model.get("state") };
    /** @type {any} */
    this.overview = null;
    this.words = "";
    this.trouble = "";
    this.saving = 0;
    this.frame = 0;
    this.listeners = {
      silence: (/** @type {boolean} */ silent) => this.silence(silent),
      slow: (/** @type {boolean} */ slow) => this.say(slow ? SLOW_WORDS : ""),
      event: (/** @type {any} */ message) => this.event(message),
    };
    this.follow = () => this.stateFromKernel();
    this.resize = () => this.root?.style.setProperty("--dwx-height", `${model.get("height")}px`);
  }

  greet() {}

  refresh() {}

  /** @param {any} message an event of the service */
  event(message) {}

  /** The state is another one, as Python or another view of this widget set it. @param {any} before */
  followState(before) {}

  /** Put the view in its place, and begin. @param {HTMLElement} root @param {HTMLElement} place */
  open(root, place) {
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

  /** @param {string} words */
  say(words) {
    this.words = words;
    this.later();
  }

  /** @param {string} words */
  fail(words) {
    this.trouble = words;
    this.later();
  }

  /** @param {boolean} silent */
  silence(silent) {
    if (silent) this.fail(SILENCE);
    else if (this.trouble === SILENCE) {
      this.fail("");
      this.greet();
    }
  }

  /** Tell the kernel of the state, after a while. @param {number} [after] ms */
  saveSoon(after = KEPT_AFTER) {
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

  /** @param {string} text @param {string} done */
  copy(text, done) {
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => this.say(done), () => this.say(text));
    else this.say(text);
  }
}
