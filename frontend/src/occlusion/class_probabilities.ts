import { h, setText } from "../ui/dom.ts";
import { formatPercent, percentChange } from "../ui/format.ts";
import type { ClassProbability } from "./wire.ts";

export const ROWS = 6; // the five most probable classes, and the target

/** Return the listed classes in order: the target first, then by descending probability with the patches. */
export function listOrder(classes: ClassProbability[], target: number | null): ClassProbability[] {
  const isTarget = ({ label }: ClassProbability) => Number(label === target);
  return [...classes].sort((a, b) => isTarget(b) - isTarget(a) || b.now - a.now || a.label - b.label).slice(0, ROWS);
}

/** Format the change of a probability by the patches, in percentage points of the displayed values. */
export function formatChange({ before, now }: Pick<ClassProbability, "before" | "now">): string {
  const points = percentChange(before, now);
  return points === 0 ? "" : points > 0 ? `+${points}` : `−${-points}`;
}

/** Set an attribute if it differs, to avoid style recalculation. */
function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Create the list of classes. Bars show the probabilities with the patches, on top of those without. Rows are radio buttons for the target.
 *
 * Dragging a patch updates the list many times a second. No element changes its position or paint bounds, since the browser would then
 * recompute the compositing layers of the whole notebook, which takes three times as long.
 */
export function createClassProbabilities({ pick }: { pick: (label: number, name: string) => void }) {
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
    rows[0]?.element.focus({ preventScroll: true }); // the target moves to the first row
  };

  const update = (classes: ClassProbability[], target: number | null) => {
    const listed = listOrder(classes, target);
    while (rows.length > listed.length) rows.pop()?.element.remove();
    while (rows.length < listed.length) {
      const row = createRow(selectTarget);
      rows.push(row);
      element.append(row.element);
    }
    listed.forEach((entry, index) => void rows[index]?.show(entry, entry.label === target, index === 0));
  };
  return { element, update };
}

function createRow(selectTarget: (label: number, name: string) => void) {
  let current: ClassProbability | null = null;
  const name = h("span", { class: "dwo-class" });
  const before = h("i", { class: "dwo-before" });
  const now = h("i", { class: "dwo-now" });
  const value = h("span", { class: "dwo-share" });
  const change = h("span", { class: "dwo-change" });
  const properties = { type: "button", role: "radio", class: "dwo-probability-row", "data-testid": "answer" };
  const onclick = () => current && selectTarget(current.label, current.name);
  // The numbers come first, so that they are painted together with the background of the row, which keeps the paint bounds constant.
  const element = h("button", { ...properties, onclick }, value, change, name, h("span", { class: "dwo-track" }, before, now));

  const show = (entry: ClassProbability, isTarget: boolean, isFirst: boolean) => {
    if (entry.label !== current?.label) {
      setText(name, entry.name);
      name.title = entry.name;
      element.title = `Make ${entry.name} the target`;
      element.dataset.label = String(entry.label);
    }
    current = entry;
    before.style.width = `${100 * entry.before}%`;
    now.style.width = `${100 * entry.now}%`;
    setText(value, formatPercent(entry.now));
    const difference = formatChange(entry);
    setText(change, difference);
    setAttribute(change, "data-less", String(difference.startsWith("−")));
    setAttribute(element, "aria-checked", String(isTarget));
    setAttribute(element, "tabindex", isFirst ? "0" : "-1");
    setAttribute(element, "aria-label", `${entry.name}: ${formatPercent(entry.now)}, ${formatPercent(entry.before)} without the patch`);
  };
  return { element, show };
}
