import type { ClassContributions, ContributionStore } from "../contributions/store.ts";
import { focusedElement, h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import type { LayerState } from "./wire.ts";

const OVER = { labelled: " of the class", predicted: " that the model predicts as the class", all: "" };

const noClass = (name: string) => `The model has no class '${name}'. The list has them all.`;

/** Create the field for the class by whose contributions the units are sorted, and what is known about these. */
export function createContributionSort({
  id,
  store,
  set,
}: {
  id: string;
  store: ContributionStore;
  set: (patch: Partial<LayerState>) => void;
}) {
  const list = h("datalist", { id: `${id}-contribution-classes` });
  const properties = { type: "search", class: "dwx-search", list: list.id, placeholder: "class…", "data-testid": "contribution-class" };
  const input = h("input", { ...properties, "aria-label": "Sort by the contribution to this class" });
  const status = h("span", { class: "dwu-dim", role: "status", "data-testid": "contribution-status" });
  const element = h("div", { class: "dwu-sort", hidden: true }, h("span", {}, "contribution to"), input, list, status);
  let names: string[] | null = null;
  let [unknown, shown]: [string, string | null] = ["", null]; // the class that was asked for and does not exist; the target
  const pick = () => {
    const name = input.value.trim();
    unknown = names?.some((one) => one.toLowerCase() === name.toLowerCase()) === false ? name : "";
    if (unknown) setText(status, noClass(unknown));
    else set({ target: name || null });
  };
  input.addEventListener("change", pick);
  input.addEventListener("input", () => {
    if (names?.includes(input.value)) pick(); // selected from the list
  });

  /** Show the state, and return the contributions to sort by; null before they are there. */
  const update = ({ layer, sort, target }: LayerState): ClassContributions | null => {
    element.hidden = sort !== "contribution";
    if (element.hidden) return null;
    const { value: classes } = store.classNames(input);
    if (classes && classes !== names) {
      names = classes;
      list.replaceChildren(...classes.map((value) => h("option", { value })));
    }
    if (target !== shown) unknown = "";
    shown = target;
    if (focusedElement(input) !== input && !unknown) input.value = target ?? "";
    if (target === null) {
      const empty = classes?.length === 0 ? "The model predicts no classes." : "Name a class.";
      setText(status, unknown ? noClass(unknown) : empty);
      return null;
    }
    const { value, error, pending } = store.classContributions(input, layer, target);
    const progress = pending?.total ? ` ${pending.done} of ${pending.total}` : "";
    const over = value
      ? `mean over ${formatCount(value.photographs, "photograph")}${OVER[value.over]}${value.exact ? "" : "; approximate"}`
      : "";
    setText(status, unknown ? noClass(unknown) : (error ?? (value ? over : `Computing…${progress}`)));
    return value ?? null;
  };
  return { element, update };
}
