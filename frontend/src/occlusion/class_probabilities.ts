import { h, setText } from "../ui/dom.ts";
import { formatPercent, percentChange } from "../ui/format.ts";
import type { ClassProbability } from "./wire.ts";

export const ROWS = 6; // the five most probable classes, and the target

/** Return the classes in the order they are listed: the target first, then by the present probability. */
export function listOrder(classes: ClassProbability[], target: number | null): ClassProbability[] {
  const isTarget = ({ label }: ClassProbability) => Number(label === target);
  return [...classes].sort((a, b) => isTarget(b) - isTarget(a) || b.now - a.now || a.label - b.label).slice(0, ROWS);
}

/** Return what the patch changed, in percentage points of the numbers that are shown. */
export function formatChange({ before, now }: Pick<ClassProbability, "before" | "now">): string {
  const points = percentChange(before, now);
  return points === 0 ? "" : points > 0 ? `+${points}` : `−${-points}`;
}

/** Set an attribute where it differs: the browser would look for what follows from it. */
function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The classes with their probabilities as bars, now on top of without a patch; they are radio buttons for the target.
 *
 * A drag rewrites this many times a second, so nothing in it changes its place or the bounds of what is painted: the browser would
 * arrange the layers of the whole notebook anew, which takes three times as long.
 */
export function createClassProbabilities({ pick }: { pick: (label: number, name: string) => void }) {
  const rows: ReturnType<typeof createRow>[] = []; // classes change, rows stay
  const onkeydown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const at = rows.findIndex((row) => row.element === event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    rows[(at + step + rows.length) % rows.length]?.element.focus(); // Space chooses: the target goes to the top then
  };
  const properties = { role: "radiogroup", "aria-label": "Target class", "data-testid": "answers", onkeydown };
  const element = h("div", { class: "dwo-answers", ...properties });
  const choose = (label: number, name: string) => {
    pick(label, name);
    rows[0]?.element.focus({ preventScroll: true }); // the target is there from now on
  };

  const update = (classes: ClassProbability[], target: number | null) => {
    const listed = listOrder(classes, target);
    while (rows.length > listed.length) rows.pop()?.element.remove();
    while (rows.length < listed.length) {
      const row = createRow(choose);
      rows.push(row);
      element.append(row.element);
    }
    listed.forEach((one, at) => void rows[at]?.show(one, one.label === target, at === 0));
  };
  return { element, update };
}

function createRow(choose: (label: number, name: string) => void) {
  let shown: ClassProbability | null = null;
  const name = h("span", { class: "dwo-class" });
  const before = h("i", { class: "dwo-before" });
  const now = h("i", { class: "dwo-now" });
  const value = h("span", { class: "dwo-share" });
  const change = h("span", { class: "dwo-change" });
  const properties = { type: "button", role: "radio", class: "dwo-answer", "data-testid": "answer" };
  const onclick = () => shown && choose(shown.label, shown.name);
  // The numbers come first: what has edges of its own would part them from the row's background, which keeps their bounds.
  const element = h("button", { ...properties, onclick }, value, change, name, h("span", { class: "dwo-track" }, before, now));

  const show = (one: ClassProbability, isTarget: boolean, isFirst: boolean) => {
    if (one.label !== shown?.label) {
      setText(name, one.name);
      name.title = one.name;
      element.title = `Make ${one.name} the target`;
      element.dataset.label = String(one.label);
    }
    shown = one;
    before.style.width = `${100 * one.before}%`;
    now.style.width = `${100 * one.now}%`;
    setText(value, formatPercent(one.now));
    const difference = formatChange(one);
    setText(change, difference);
    setAttribute(change, "data-less", String(difference.startsWith("−")));
    setAttribute(element, "aria-checked", String(isTarget));
    setAttribute(element, "tabindex", isFirst ? "0" : "-1");
    setAttribute(element, "aria-label", `${one.name}: ${formatPercent(one.now)}, ${formatPercent(one.before)} without the patch`);
  };
  return { element, show };
}
