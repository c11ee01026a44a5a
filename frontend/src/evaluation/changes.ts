/** The change between two runs of the same photographs. */

import { createClassName } from "../classification/class_names.ts";
import type { Gain } from "../classification/class_results.ts";
import { createGains, formatPoints } from "../classification/gains.ts";
import type { PhotographStore } from "../classification/photograph_store.ts";
import { createPhotographStrip } from "../classification/photograph_strip.ts";
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger, formatPercent } from "../ui/format.ts";
import { formatAccuracy } from "./texts.ts";
import type { ChangedPhotograph, Comparison } from "./wire.ts";

const MAX_GAINS = 6; // number of classes that gained, and that lost most
const NOTHING =
  "Nothing to compare yet: switch units off, or put another head on the model, and it is evaluated again on the same photographs. What changed is shown here.";

/** Describe the change of the accuracy, with its uncertainty. */
export function describeChange({ accuracy_before: before, accuracy_after: after, interval, p_value: p, photographs }: Comparison): string {
  const points = `${formatPoints(100 * ((after ?? 0) - (before ?? 0)))} points`;
  const [low, high] = interval.map((bound) => (bound === null ? "–" : formatPoints(100 * bound)));
  const chance = p === null ? "–" : p < 0.001 ? "< 0.001" : `= ${p.toFixed(p < 0.1 ? 3 : 2)}`;
  return `${points} (95% confidence interval ${low} to ${high}) · McNemar p ${chance} · ${formatCount(photographs, "photograph")}`;
}

/** Return the classes whose accuracy changed, as gains. */
export function changedClasses({ categories, class_before: before, class_after: after }: Comparison, labels: number[]): Gain[] {
  return labels.flatMap((label) => {
    const [from, to] = [before[label], after[label]];
    return typeof from === "number" && typeof to === "number"
      ? [{ name: categories[label] ?? `class ${label}`, before: from, after: to, gain: to - from }]
      : [];
  });
}

interface ChangesOptions {
  store: PhotographStore;
  why: (photograph: ChangedPhotograph) => void;
}

/** Create the view of the change: accuracy, classes, and the photographs that became right and wrong. */
export class Changes {
  readonly element: HTMLElement;
  private readonly store: PhotographStore;
  private readonly value = h("div", { class: "dwe-change", "data-testid": "change-accuracy" });
  private readonly words = h("p", { "data-testid": "change-words" });
  private readonly runs = h("p", { class: "dwc-dim" });
  private readonly more = h("p", { class: "dwc-dim", "data-testid": "change-more" });
  private readonly notes = h("ul", { class: "dwc-dim" });
  private readonly message = h("p", { class: "dwc-empty", "data-testid": "change-empty" });
  private readonly content: HTMLElement;
  private readonly gained = createGains("change-gained", "Classes that gained most");
  private readonly lost = createGains("change-lost", "Classes that lost most");
  private readonly right: ReturnType<typeof createFlips>;
  private readonly wrong: ReturnType<typeof createFlips>;
  private readonly removeListener: () => void;
  private shown: Comparison | null = null;
  private drawn: Comparison | null = null;

  constructor({ store, why }: ChangesOptions) {
    this.store = store;
    this.right = createFlips({ store, testid: "now-right", title: "now right", describe: ({ before }) => `was ${before}`, why });
    this.wrong = createFlips({ store, testid: "now-wrong", title: "now wrong", describe: ({ after }) => `now ${after}`, why });
    const columns = h("div", { class: "dwc-two-columns" }, this.gained.element, this.lost.element);
    const head = [this.value, this.words, this.runs];
    this.content = h("div", { class: "dwe-changes" }, ...head, this.right.element, this.wrong.element, columns, this.more, this.notes);
    this.element = h("section", { "aria-label": "Change", "data-testid": "changes" }, this.message, this.content);
    this.removeListener = store.listen(() => this.draw());
  }

  close(): void {
    this.removeListener();
    this.store.setVisibleSources(this, 0, []);
  }

  /** @param problem why there is nothing to compare; empty while the comparison is loaded */
  update(comparison: Comparison | null, problem: string | null, visible: boolean): void {
    this.shown = visible ? comparison : null;
    this.content.hidden = !comparison;
    this.message.hidden = Boolean(comparison);
    setText(this.message, problem ?? NOTHING);
    const sources = this.shown ? [...this.shown.now_right, ...this.shown.now_wrong].map(({ source }) => source) : [];
    this.store.setVisibleSources(this, comparison?.after.run ?? 0, sources);
    this.draw();
  }

  private draw(): void {
    const { shown } = this;
    if (!shown) return;
    const run = shown.after.run;
    this.right.update(run, shown.now_right, shown.now_right_total);
    this.wrong.update(run, shown.now_wrong, shown.now_wrong_total);
    if (shown === this.drawn) return;
    this.drawn = shown;
    setText(this.value, `${formatAccuracy(shown.accuracy_before)} → ${formatAccuracy(shown.accuracy_after)}`);
    setText(this.words, describeChange(shown));
    this.words.title = shown.method;
    setText(this.runs, `before: run ${shown.before.run}, ${shown.before.classifier}; now: run ${run}, ${shown.after.classifier}`);
    const [gained, lost] = [changedClasses(shown, shown.gained), changedClasses(shown, shown.lost)];
    const longest = Math.max(0.01, ...[...gained, ...lost].map(({ gain }) => Math.abs(gain)));
    this.gained.update(gained.slice(0, MAX_GAINS), longest);
    this.lost.update(lost.slice(0, MAX_GAINS), longest);
    setText(this.more, describeScores(shown));
    this.notes.replaceChildren(...shown.notes.map((note) => h("li", {}, note)));
  }
}

function describeScores(shown: Comparison): string {
  const loss = (value: number | null) => value?.toFixed(3) ?? "–";
  const changed = `${formatCount(shown.changed_total, "prediction")} changed`;
  const losses = `NLL ${loss(shown.log_loss_before)} → ${loss(shown.log_loss_after)}`;
  const calibration = `ECE ${formatAccuracy(shown.calibration_before)} → ${formatAccuracy(shown.calibration_after)}`;
  return [changed, losses, calibration].join(" · ");
}

/** Create the photographs whose verdict changed. */
function createFlips({
  store,
  testid,
  title,
  describe,
  why,
}: ChangesOptions & { testid: string; title: string; describe: (photograph: ChangedPhotograph) => string }) {
  const heading = h("h4", { "data-testid": `${testid}-title` });
  const isNowRight = testid === "now-right";
  const strip = createPhotographStrip<ChangedPhotograph>({
    store,
    label: `Photographs that are ${title}`,
    testid,
    caption: (photograph) => [createClassName(photograph.truth), createClassName(describe(photograph))],
    describe: (photograph) => {
      const change = `${formatPercent(photograph.probability_before)} → ${formatPercent(photograph.probability_after)}`;
      return `${photograph.truth}: ${photograph.before} → ${photograph.after}; probability of ${photograph.truth} ${change} · ${photograph.name}`;
    },
    isRight: () => isNowRight,
    keyOf: ({ source, before, after }) => `${source}/${before}/${after}`,
    why,
  });
  const element = h("div", { class: "dwe-flips" }, heading, strip.element);
  const update = (run: number, photographs: ChangedPhotograph[], total: number) => {
    const shown = photographs.length < total ? `; ${formatInteger(photographs.length)} are shown, the largest changes first` : "";
    setText(heading, `${formatInteger(total)} ${title}${shown}`);
    strip.update(run, photographs);
  };
  return { element, update };
}
