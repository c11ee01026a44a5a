import type { Quantity } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatScore, formatScoreChange, isValue } from "../ui/quantity.ts";
import type { ClassScore } from "./wire.ts";

export const ROWS = 6; // the five most probable classes, and the target

/** The target, and the class that it is compared with. */
export interface ClassPair {
  target: number | null;
  against: number | null;
}

/**
 * Return the listed classes in order: the target first, then the class that it is compared with, then by descending probability with the
 * patches; a regression's outputs by number.
 */
export function listOrder(classes: ClassScore[], { target, against }: ClassPair, quantity: Quantity | null = null): ClassScore[] {
  if (isValue(quantity)) return [...classes].sort((a, b) => a.label - b.label).slice(0, ROWS);
  const rank = ({ label }: ClassScore) => (label === target ? 0 : label === against ? 1 : 2);
  return [...classes].sort((a, b) => rank(a) - rank(b) || b.now - a.now || a.label - b.label).slice(0, ROWS);
}

/** Set an attribute if it differs, to avoid style recalculation. */
function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Create the list of classes. Bars show the probabilities with the patches, on top of those without; while units are switched off, on top of
 * those with all units on. A regression's outputs have no bars, for they have no common scale. Rows are radio buttons for the target.
 *
 * Dragging a patch updates the list many times a second. No element changes its position or paint bounds, since the browser would then
 * recompute the compositing layers of the whole notebook, which takes three times as long.
 */
export function createClassScores({ pick }: { pick: (label: number, name: string) => void }) {
  const rows: ReturnType<typeof createRow>[] = []; // reused for other classes
  const onkeydown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const index = rows.findIndex((row) => row.element === event.target);
    if (!step || index < 0) return;
    event.preventDefault();
    event.stopPropagation();
    rows[(index + step + rows.length) % rows.length]?.element.focus(); // Space selects
  };
  const properties = { role: "radiogroup", "aria-label": "Target class", "data-testid": "answers", onkeydown };
  const element = h("div", { class: "dwo-probabilities", ...properties });
  const selectTarget = (label: number, name: string) => {
    pick(label, name);
    if (!isValue(quantity)) rows[0]?.element.focus({ preventScroll: true }); // the target moves to the first row
  };

  let quantity: Quantity | null = null;

  const update = (classes: ClassScore[], pair: ClassPair, newQuantity: Quantity | null) => {
    const { target, against } = pair;
    quantity = newQuantity;
    setAttribute(element, "data-kind", quantity?.kind ?? "probability");
    setAttribute(element, "data-units", String(classes.some(({ unchanged }) => (unchanged ?? null) !== null)));
    const listed = listOrder(classes, pair, quantity);
    while (rows.length > listed.length) rows.pop()?.element.remove();
    while (rows.length < listed.length) {
      const row = createRow(selectTarget);
      rows.push(row);
      element.append(row.element);
    }
    listed.forEach((entry, index) => {
      const row = rows[index];
      row?.show(entry, entry.label === target, isValue(quantity) ? entry.label === target : index === 0, quantity);
      if (row) setAttribute(row.element, "data-role", entry.label === target ? "target" : entry.label === against ? "against" : "");
    });
  };
  return { element, update };
}

function createRow(selectTarget: (label: number, name: string) => void) {
  let current: ClassScore | null = null;
  const name = h("span", { class: "dwo-class" });
  const before = h("i", { class: "dwo-before" });
  const now = h("i", { class: "dwo-now" });
  const value = h("span", { class: "dwo-share" });
  const change = h("span", { class: "dwo-change" });
  const properties = { type: "button", role: "radio", class: "dwo-probability-row", "data-testid": "answer" };
  const onclick = () => current && selectTarget(current.label, current.name);
  // The numbers come first, so that they are painted together with the background of the row, which keeps the paint bounds constant.
  const element = h("button", { ...properties, onclick }, value, change, name, h("span", { class: "dwo-track" }, before, now));

  const show = (entry: ClassScore, isTarget: boolean, hasTabStop: boolean, quantity: Quantity | null) => {
    if (entry.label !== current?.label) {
      setText(name, entry.name);
      name.title = entry.name;
      element.title = `Make ${entry.name} the target`;
      element.dataset.label = String(entry.label);
    }
    current = entry;
    const unchanged = entry.unchanged ?? null;
    const score = formatScore(quantity, entry.now);
    before.style.width = isValue(quantity) ? "0" : `${100 * (unchanged ?? entry.before)}%`;
    now.style.width = isValue(quantity) ? "0" : `${100 * entry.now}%`;
    const difference = formatScoreChange(quantity, entry);
    setText(value, unchanged === null ? score : `${formatScore(quantity, unchanged)} →`);
    setText(change, unchanged === null ? difference : score);
    setAttribute(change, "data-less", String(unchanged === null && difference.startsWith("−")));
    setAttribute(element, "aria-checked", String(isTarget));
    setAttribute(element, "tabindex", hasTabStop ? "0" : "-1");
    const other =
      unchanged === null
        ? `${formatScore(quantity, entry.before)} without the patch`
        : `${formatScore(quantity, unchanged)} with all units on`;
    setAttribute(element, "aria-label", `${entry.name}: ${score}, ${other}`);
  };
  return { element, show };
}
