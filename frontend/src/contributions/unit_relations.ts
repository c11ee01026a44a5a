import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { FeederTree } from "./feeder_tree.ts";
import { formatSigned } from "./format.ts";
import type { ContributionStore } from "./store.ts";
import type { UnitClasses } from "./wire.ts";

interface RelationsOptions {
  id: string;
  store: ContributionStore;
  open: (layer: string, unit: number) => void;
  save: ConstructorParameters<typeof FeederTree>[0]["save"];
  changed: () => void;
}

/** What a unit contributes to and against, and the units that feed it. Both are computed on request only. */
export class UnitRelations {
  /** The buttons. */
  readonly element: HTMLElement;
  readonly tree: FeederTree;
  readonly classes = h("p", { class: "dwu-speaks", "data-testid": "unit-classes" });
  private readonly ask: HTMLButtonElement;
  private showsClasses = false;
  private unit: { layer: string; unit: number } | null = null;

  constructor(private readonly options: RelationsOptions) {
    const button = (testid: string, text: string, title: string, onclick: () => void) =>
      h("button", { type: "button", class: "dwu-link", "data-testid": testid, title, onclick }, text);
    this.tree = new FeederTree(options);
    const hint = "The classes whose logits this unit raises and lowers most, on average";
    this.ask = button("ask-classes", "Contributes to…", hint, () => {
      this.showsClasses = !this.showsClasses;
      options.changed();
    });
    const feeders = button("ask-feeders", "What feeds it…", "The units of the layers beneath that feed it most (t)", () => this.openTree());
    this.element = h("div", { class: "dwu-relations" }, this.ask, feeders);
  }

  openTree(): void {
    if (this.unit) this.tree.open(this.unit.layer, this.unit.unit);
  }

  /** @param hasClasses whether the model predicts classes */
  update(layer: string, unit: number, hasClasses: boolean): void {
    this.unit = { layer, unit };
    this.ask.hidden = !hasClasses;
    this.ask.setAttribute("aria-expanded", String(this.showsClasses));
    this.classes.hidden = !hasClasses || !this.showsClasses;
    if (!this.classes.hidden) this.drawClasses(layer, unit);
    this.tree.update();
  }

  private drawClasses(layer: string, unit: number): void {
    const { value, error, pending } = this.options.store.unitClasses(this, layer, unit);
    const progress = pending?.total ? ` ${pending.done} of ${formatCount(pending.total, "photograph")}` : "";
    if (!value) {
      setText(this.classes, error ?? `Computing…${progress}`);
      this.classes.dataset.key = "";
      return;
    }
    const key = JSON.stringify([layer, unit, value]);
    if (this.classes.dataset.key === key) return;
    this.classes.dataset.key = key;
    this.classes.replaceChildren(...list("for ", "target", value.for), ...list(" · against ", "against", value.against));
    const over = value.over === "top" ? "its strongest activations" : formatCount(value.photographs, "photograph");
    this.classes.title = `Mean contribution to the logit of the class, above the mean of all classes; over ${over}`;
  }
}

function list(word: string, role: "target" | "against", classes: UnitClasses["for"]): Node[] {
  const entries = classes.flatMap(([name, value], at) => [
    ...(at ? [document.createTextNode(", ")] : []),
    document.createTextNode(`${name} `),
    h("span", { "data-role": role }, formatSigned(value)),
  ]);
  return entries.length ? [document.createTextNode(word), ...entries] : [];
}
