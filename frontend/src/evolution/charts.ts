/** How far each layer has converged, and the training: two charts with the current epoch. */
import { h, setText } from "../ui/dom.ts";
import { formatNumber } from "../ui/format.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import { convergenceContent, trainingContent } from "./curves.ts";
import { createEpochChart } from "./epoch_chart.ts";
import type { EvolutionStore } from "./store.ts";
import { describeConvergence, describeReached } from "./texts.ts";
import type { Evolution, EvolutionState, LoggedEpoch, Measure } from "./wire.ts";

const MEASURES: [Measure, string, string][] = [
  [
    "correlation",
    "correlation",
    "Median over the units: correlation of a unit's activations over the images with those at the last checkpoint",
  ],
  ["same_strongest", "same strongest", "Share of the units whose strongest image is that of the last checkpoint"],
  ["cka", "CKA", "Linear CKA of the activations of all units with those at the last checkpoint (Kornblith et al. 2019)"],
];

interface ChartsOptions {
  store: EvolutionStore;
  set: (patch: Partial<EvolutionState>) => void;
  /** Called with an epoch, which need not be one of the checkpoints. */
  pick: (epoch: number) => void;
}

export class Charts {
  readonly element: HTMLElement;
  private readonly convergence: ReturnType<typeof createEpochChart>;
  private readonly training: ReturnType<typeof createEpochChart>;
  private readonly trainingPart: HTMLElement;
  private readonly caption = h("span", { class: "dwv-chart-caption", "data-testid": "convergence-caption" });
  private readonly reached = h("p", { class: "dwv-chart-reached", "data-testid": "reached" });
  private readonly message = h("p", { class: "dwv-chart-message", role: "status", "data-testid": "convergence-message" });
  private readonly numbers = h("span", { class: "dwv-chart-numbers", "data-testid": "training-numbers" });
  private readonly measures: ReturnType<typeof createRadioGroup<Measure>>;

  constructor(private readonly options: ChartsOptions) {
    const { pick, set } = options;
    const converged = "How far each layer has converged, by epoch";
    this.convergence = createEpochChart({ label: converged, testid: "convergence", pick });
    this.training = createEpochChart({ label: "Training: loss and top-1 accuracy, by epoch", testid: "training", pick });
    const choices = MEASURES;
    this.measures = createRadioGroup({
      label: "Measure",
      prefix: "measure",
      testid: "measures",
      choices,
      pick: (measure) => set({ measure }),
    });
    const head = h("div", { class: "dwv-chart-head" }, this.caption, this.measures.element);
    const trainingHead = h("div", { class: "dwv-chart-head" }, h("span", { class: "dwv-chart-caption" }, "training"), this.numbers);
    this.trainingPart = h("div", { class: "dwv-chart-part dwv-training" }, trainingHead, this.training.element);
    const part = h("div", { class: "dwv-chart-part" }, head, this.reached, this.message, this.convergence.element);
    this.element = h("div", { class: "dwv-charts" }, part, this.trainingPart);
  }

  close(): void {
    this.convergence.close();
    this.training.close();
  }

  update({ measure }: EvolutionState, epoch: number | null, evolution: Evolution): void {
    const { columns, log, unit } = evolution;
    const range = rangeOf(unit === "epoch" ? [...columns, ...log] : columns);
    this.measures.show(measure);
    const { value, error } = this.options.store.convergence(measure);
    const few = value !== undefined && value.epochs.length < 2;
    const waiting = this.options.store.readyEpochs.length < 2 || few;
    const text = error ?? (waiting ? "The curves appear when two checkpoints have their indexes." : value ? "" : "Computing…");
    setText(this.message, text);
    this.message.hidden = !text;
    this.convergence.element.hidden = Boolean(text);
    const shown = text ? undefined : value;
    setText(this.caption, shown ? describeConvergence(shown, unit) : "how far each layer has converged");
    setText(this.reached, shown ? describeReached(shown, unit) : "");
    this.reached.hidden = !this.reached.textContent;
    this.caption.title = [this.caption.textContent, value?.note].filter(Boolean).join(". ");
    if (value && !text) this.convergence.update(convergenceContent(value, epoch, range));
    this.trainingPart.hidden = log.length === 0;
    if (log.length)
      this.training.update(unit === "epoch" ? trainingContent(evolution, epoch, range) : trainingContent(evolution, null, rangeOf(log)));
    this.drawNumbers(log, epoch);
  }

  private drawNumbers(log: LoggedEpoch[], epoch: number | null): void {
    const entry = log.find((candidate) => candidate.epoch === epoch);
    const top1 = entry?.validation_top1 ?? entry?.train_top1 ?? null;
    const losses = [entry?.train_loss, entry?.validation_loss].filter((value) => value !== null && value !== undefined);
    const parts: Node[] = [];
    const add = (name: string, value: string) => parts.push(h("span", {}, `${name} `, h("b", {}, value)));
    if (losses.length) add("loss", losses.map((value) => formatNumber(value)).join(" / "));
    if (top1 !== null) add("top-1", `${(100 * top1).toFixed(1)}%`);
    this.numbers.replaceChildren(...parts);
    this.numbers.title = losses.length > 1 ? "Loss on the training set / on the validation set" : "";
  }
}

/** Return the first and the last epoch. */
function rangeOf(entries: readonly { epoch: number }[]): [number, number] {
  const epochs = entries.map(({ epoch }) => epoch);
  return epochs.length ? [Math.min(...epochs), Math.max(...epochs)] : [0, 1];
}
