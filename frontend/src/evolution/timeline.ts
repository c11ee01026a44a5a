/** The slider over the checkpoints, and the button that plays them. */
import { h, setText } from "../ui/dom.ts";
import type { Column } from "./wire.ts";

const INTERVAL = 900; // ms a checkpoint

interface TimelineOptions {
  /** Show an epoch, and return whether that was possible. */
  pick: (epoch: number) => boolean;
  /** Return whether what a checkpoint shows is loaded; playing waits for it, for a while. */
  isLoaded: () => boolean;
}

const MAX_WAIT = 6; // intervals

export class Timeline {
  readonly element: HTMLElement;
  private readonly playButton = h("button", { type: "button", class: "dwx-menu-button dwv-play", "data-testid": "play" });
  private readonly slider = h("input", {
    type: "range",
    class: "dwx-slider",
    min: 0,
    step: 1,
    "aria-label": "Checkpoint",
    "data-testid": "epoch",
  });
  private readonly name = h("b", { class: "dwv-epoch", "data-testid": "epoch-name" });
  private readonly note = h("span", { class: "dwv-epoch-note", "data-testid": "epoch-note" });
  private columns: readonly Column[] = [];
  private epoch: number | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private waited = 0;

  constructor(private readonly options: TimelineOptions) {
    this.playButton.addEventListener("click", () => this.toggle());
    this.slider.addEventListener("input", () => {
      this.stop();
      const column = this.columns[Number(this.slider.value)];
      if (column) options.pick(column.epoch);
    });
    this.element = h("div", { class: "dwv-time", "data-part": "time" }, this.playButton, this.slider, this.name, this.note);
    this.drawButton();
  }

  close(): void {
    clearInterval(this.timer);
  }

  get playing(): boolean {
    return this.timer !== undefined;
  }

  toggle(): void {
    if (this.playing) this.stop();
    else this.play();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.drawButton();
  }

  update(columns: readonly Column[], epoch: number | null, note: string): void {
    this.columns = columns;
    this.epoch = epoch;
    const at = columns.findIndex((column) => column.epoch === epoch);
    const count = columns[0]?.unit ?? "epoch";
    this.slider.max = String(Math.max(0, columns.length - 1));
    this.slider.disabled = this.playButton.disabled = columns.length < 2;
    if (at >= 0 && this.slider.value !== String(at)) this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", `${count} ${epoch}`);
    setText(this.name, epoch === null ? "" : `${count} ${epoch}`);
    setText(this.note, note);
    this.note.title = note;
  }

  /** The epochs that can be shown. */
  private get epochs(): number[] {
    return this.columns.filter(({ state }) => state === "ready").map(({ epoch }) => epoch);
  }

  /** Play to the end; from the start if this is the end. */
  private play(): void {
    const { epochs } = this;
    if (epochs.length < 2) return;
    if (this.epoch === epochs.at(-1)) this.options.pick(epochs[0] ?? 0);
    this.waited = 0;
    this.timer = setInterval(() => this.step(), INTERVAL);
    this.drawButton();
  }

  private step(): void {
    this.waited += 1;
    if (!this.options.isLoaded() && this.waited < MAX_WAIT) return;
    this.waited = 0;
    const { epochs } = this;
    const next = epochs.find((epoch) => epoch > (this.epoch ?? Number.NEGATIVE_INFINITY));
    if (next === undefined) this.stop();
    else if (!this.options.pick(next)) this.stop();
  }

  private drawButton(): void {
    setText(this.playButton, this.playing ? "❚❚ Pause" : "▶ Play");
    this.playButton.title = `${this.playing ? "Pause" : "Play the checkpoints"} (Space)`;
  }
}
