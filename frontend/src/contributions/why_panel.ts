import type { UnitFactors } from "../kernel/unit_factors.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { describeMethod } from "./format.ts";
import { createLedger } from "./ledger.ts";
import type { ContributionStore } from "./store.ts";
import { createUnitRow, type UnitRow } from "./unit_row.ts";
import type { Contributions, ContributionsRequest, Deletion, UnitContribution } from "./wire.ts";

const FIRST = 6; // listed units on each side
const MORE = 12;
const TILE = 54; // pixels of a tile of a mosaic
const METHODS: [ContributionsRequest["method"], string][] = [
  ["auto", "exact"],
  ["gradient", "gradient"],
  ["switch-off", "switch off"],
];
const METHOD_HINT =
  "Exact: weight × activation where the logits depend linearly on the layer, else each unit switched off alone. Gradient: gradient × activation, an approximation";
const BASELINES: ["none" | "mean", string][] = [
  ["none", "zero"],
  ["mean", "mean photograph"],
];

const BASELINE_HINT = "Zero: a unit contributes what it adds to the logit. Mean photograph: what it adds above its mean over the image set";

export interface WhyContent {
  image: string;
  photograph: ImageBitmap;
  /** The request for the feature maps of the layer in the image. */
  mapsRequest: object;
  layer: string;
  layers: string[];
  target: number;
  targetName: string;
  against: number | null;
  againstName: string;
}

interface WhyOptions {
  store: ContributionStore;
  /** Open a unit in the LayerExplorer. */
  open: (layer: string, unit: number) => void;
  pickLayer: (layer: string) => void;
  units: UnitFactors;
  /** Switch a unit off, or on again. */
  toggle: (layer: string, unit: number) => void;
  /** Called when a choice of this panel has changed. */
  changed: () => void;
  save: (request: ContributionsRequest, file: string) => void;
}

/** The units that contribute to an answer and against it, each with its contribution, and the sum that they make up. */
export class WhyPanel {
  readonly element: HTMLElement;
  private readonly title = h("h3", { "data-testid": "why-title" });
  private readonly how = h("span", { "data-testid": "why-method" });
  private readonly status = h("p", { class: "dwu-dim", "data-testid": "why-status", role: "status" });
  private readonly error = h("p", { class: "dwx-error", hidden: true, "data-testid": "why-error" });
  private readonly headings = h("div", { class: "dwu-headings", "aria-hidden": "true" });
  private readonly top = h("div", { role: "list", class: "dwu-rows", "data-testid": "why-top" });
  private readonly bottom = h("div", { role: "list", class: "dwu-rows", "data-testid": "why-bottom" });
  private readonly more: HTMLButtonElement;
  private readonly gap: HTMLElement;
  private readonly ledger = createLedger();
  private readonly curve = h("p", { class: "dwu-dim", "data-testid": "why-curve" });
  private readonly layer: ReturnType<typeof createSelect<string>>;
  private readonly rows = { top: [] as UnitRow[], bottom: [] as UnitRow[] };
  private readonly body: HTMLElement;
  private method: ContributionsRequest["method"] = "auto";
  private baseline: "mean" | null = null;
  private count = FIRST;
  private checksOrder = false;
  private content: WhyContent | null = null;
  private key = "";
  /** What is shown, until that of the current request is there. */
  private shown: Contributions | undefined;

  constructor(private readonly options: WhyOptions) {
    const choose = (change: () => void) => {
      change();
      options.changed();
    };
    this.layer = createSelect<string>({ label: "Layer", testid: "why-layer", choices: [], pick: options.pickLayer });
    const method = createSelect({
      ...{ label: "Method", testid: "why-method-choice", choices: METHODS, hint: METHOD_HINT },
      pick: (name) => choose(() => (this.method = name)),
    });
    const baseline = createSelect({
      ...{
        label: "Baseline",
        testid: "why-baseline",
        choices: BASELINES,
        hint: BASELINE_HINT,
      },
      pick: (name) => choose(() => (this.baseline = name === "mean" ? "mean" : null)),
    });
    const button = (testid: string, text: string, title: string, onclick: () => void) =>
      h("button", { type: "button", class: "dwu-link", "data-testid": testid, title, onclick }, text);
    this.more = button("why-more", "", "List more units on both sides", () => choose(() => (this.count += MORE)));
    const check = button(
      "why-check",
      "Check the order",
      "Switch the units off in this order, in order of activation, and at random: after how many does the answer turn?",
      () => choose(() => (this.checksOrder = !this.checksOrder)),
    );
    const save = button("why-table", "Table (CSV)", "All contributions as a table", () => this.save("contributions.csv"));
    const hint = "The class, its units, and what feeds them, down to the first layer, as one figure";
    const tree = button("why-tree", "Tree (PNG)", hint, () => this.save("tree.png"));
    this.gap = h("div", { class: "dwu-gap" }, this.more);
    const caption = h("div", { class: "dwu-caption" }, this.title, this.how);
    const choices = h("div", { class: "dwu-choices" }, this.layer.element, method.element, baseline.element);
    const foot = h("div", { class: "dwu-foot" }, this.ledger.element, h("div", { class: "dwu-choices" }, check, save, tree), this.curve);
    this.body = h("div", { class: "dwu-body" }, this.headings, this.top, this.gap, this.bottom);
    const parts = [caption, choices, this.error, this.status, this.body, foot];
    this.element = h("div", { class: "dwu-why", "data-testid": "why-panel" }, ...parts);
    this.body.addEventListener("keydown", (event) => this.handleKey(event));
  }

  update(content: WhyContent | null, message: string): void {
    this.content = content;
    this.body.hidden = !content;
    if (!content) {
      setText(this.status, message);
      return;
    }
    const request = this.request(content);
    const key = JSON.stringify({ ...request, top: 0 });
    if (key !== this.key) {
      this.key = key;
      this.shown = undefined;
      this.count = FIRST;
    }
    this.drawChoices(content);
    const { value, error, pending } = this.options.store.contributions(this, this.request(content));
    if (value) this.shown = value;
    this.error.hidden = !error;
    setText(this.error, error ?? "");
    const progress = pending?.total ? ` ${pending.done} of ${pending.total}` : "";
    const note = value && !value.exact ? value.note : "";
    setText(this.status, this.shown || error ? note : `Computing the contributions…${progress}`);
    this.status.hidden = !this.status.textContent;
    this.element.dataset.ready = String(Boolean(value));
    this.body.hidden = this.ledger.element.hidden = !this.shown;
    if (this.shown) this.draw(content, this.shown);
    this.drawCurve(this.request(content));
  }

  /** Move the focus to the first unit. */
  focus(): void {
    this.rows.top[0]?.button.focus({ preventScroll: true });
  }

  private request({ image, layer, target, against }: WhyContent): ContributionsRequest {
    return {
      image,
      layer,
      target,
      against,
      method: this.method,
      baseline: this.baseline,
      top: this.count,
      unchanged: this.options.units.list().length > 0,
    };
  }

  private drawChoices({ layer, layers, targetName, against, againstName }: WhyContent): void {
    const { select } = this.layer;
    if (select.dataset.layers !== layers.join()) {
      select.dataset.layers = layers.join();
      select.replaceChildren(...layers.map((name) => h("option", { value: name }, name)));
    }
    select.value = layer;
    const key = JSON.stringify([targetName, against, againstName]);
    if (this.title.dataset.key === key) return;
    this.title.dataset.key = key;
    const target = h("span", { "data-role": "target" }, targetName);
    const other = against === null ? [] : [", against ", h("span", { "data-role": "against" }, againstName)];
    this.title.replaceChildren("What contributes to ", target, ...other);
    const ends = against === null ? ["", ""] : [`← ${againstName}`, `${targetName} →`];
    const names = ["on", "where, here", "projections", "patches"].map((name) => h("span", {}, name));
    const scale = h("span", { class: "dwu-ends" }, h("span", {}, ends[0] ?? ""), h("span", {}, ends[1] ?? ""));
    this.headings.replaceChildren(...names, scale);
  }

  private draw(content: WhyContent, shown: Contributions): void {
    const isUnchanged = this.options.units.list().length > 0;
    setText(this.how, `${describeMethod(shown)}${isUnchanged ? "; with all units on" : ""}`);
    this.how.title = shown.note;
    const listed = [...shown.top, ...shown.bottom];
    const scale = listed.reduce((largest, { value }) => Math.max(largest, Math.abs(value)), 0);
    const units = listed.map(({ unit }) => unit);
    const { value: maps } = this.options.store.unitMaps(this, content.mapsRequest, units);
    this.drawRows("top", shown.top, { content, scale, maps });
    this.drawRows("bottom", shown.bottom, { content, scale, maps });
    const rest = shown.units - listed.length;
    this.gap.hidden = rest <= 0 && !shown.bottom.length;
    this.more.disabled = rest <= 0;
    setText(this.more, rest > 0 ? `${rest} more` : "no more");
    this.ledger.update(shown);
  }

  private drawRows(
    side: "top" | "bottom",
    units: UnitContribution[],
    { content, scale, maps }: { content: WhyContent; scale: number; maps: Parameters<UnitRow["update"]>[0]["where"]["maps"] },
  ): void {
    const rows = this.rows[side];
    while (rows.length > units.length) rows.pop()?.element.remove();
    while (rows.length < units.length) {
      const { open, toggle } = this.options;
      const onLayer = (act: typeof open) => (unit: number) => this.content && act(this.content.layer, unit);
      const row = createUnitRow(onLayer(open), onLayer(toggle));
      rows.push(row);
      this[side].append(row.element);
    }
    units.forEach((contribution, at) => {
      const mosaics = this.options.store.unitMosaics(content.layer, contribution.unit, TILE);
      const where = { id: content.image, image: content.photograph, maps };
      const classes = this.options.store.topClasses(this, content.layer, contribution.unit);
      const factor = this.options.units.factor(content.layer, contribution.unit);
      rows[at]?.update({ layer: content.layer, contribution, scale, where, mosaics, classes, factor });
    });
  }

  private drawCurve(request: ContributionsRequest): void {
    this.curve.hidden = !this.checksOrder;
    if (!this.checksOrder) return;
    const { value, error, pending } = this.options.store.deletion(this, { ...request, top: FIRST });
    const progress = pending?.total ? ` ${pending.done} of ${pending.total}` : "";
    setText(this.curve, value ? describeTurns(value) : (error ?? `Switching units off…${progress}`));
  }

  private save(file: "contributions.csv" | "tree.png"): void {
    if (this.content) this.options.save(this.request(this.content), file);
  }

  /** Move the focus among the units by the arrow keys, and switch the focused one by x. */
  private handleKey(event: KeyboardEvent): void {
    const rows = [...this.rows.top, ...this.rows.bottom];
    const buttons = rows.map(({ button }) => button);
    const index = buttons.indexOf(event.target as HTMLButtonElement);
    if (event.key === "x" && index >= 0) {
      rows[index]?.toggle();
      event.stopPropagation();
      return;
    }
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (index < 0 || next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[Math.min(Math.max(next, 0), buttons.length - 1)]?.focus();
  }
}

/** Describe after how many units the answer turns, in each order. */
export function describeTurns({ counts, turns }: Pick<Deletion, "counts" | "turns">): string {
  const most = counts.at(-1) ?? 0;
  const after = (count: number | null | undefined) => (count === null || count === undefined ? `not within ${most}` : `after ${count}`);
  const { contribution, activation, random } = turns;
  const first = contribution[0] ?? null;
  const start = first === null ? `The answer does not turn within ${most} units` : `The answer turns after ${formatCount(first, "unit")}`;
  return `${start} in order of contribution, ${after(activation[0])} in order of activation, ${after(random[0])} at random.`;
}
