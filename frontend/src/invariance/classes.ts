/** The target and the most probable classes of the transformed photograph; thin bars are those of the photograph as it is. */
import { h, setText } from "../ui/dom.ts";
import { formatScore, isValue } from "../ui/quantity.ts";
import type { View } from "./store.ts";

export function createClasses() {
  const heading = h("h3", {});
  const list = h("ul", { class: "dwi-classes", "data-testid": "classes" });
  const element = h("section", { class: "dwi-part" }, heading, list);
  const rows: ReturnType<typeof createRow>[] = [];

  const update = ({ classes, quantity, labelled }: View) => {
    element.hidden = classes.length === 0;
    setText(heading, isValue(quantity) ? "Outputs" : "Classes");
    while (rows.length > classes.length) rows.pop()?.element.remove();
    while (rows.length < classes.length) {
      const row = createRow();
      rows.push(row);
      list.append(row.element);
    }
    rows.forEach((row, index) => {
      const entry = classes[index];
      if (!entry) return;
      const role = index || isValue(quantity) ? "" : labelled ? "true class" : "predicted as it is";
      row.update(entry.name, role, isValue(quantity) ? null : [entry.now, entry.before], formatScore(quantity, entry.now));
      row.element.title = `${entry.name}: ${formatScore(quantity, entry.now)}; ${formatScore(quantity, entry.before)} as it is`;
    });
  };
  return { element, update };
}

function createRow() {
  const name = h("span", { class: "dwi-class" });
  const role = h("span", { class: "dwi-rank" });
  const value = h("span", { class: "dwi-number" });
  const now = h("i", { class: "dwi-now" });
  const before = h("i", { class: "dwi-before" });
  const bar = h("span", { class: "dwi-bar" }, before, now);
  const element = h("li", {}, h("span", { class: "dwi-unit-line" }, name, role, value), bar);
  const update = (newName: string, newRole: string, shares: [now: number, before: number] | null, score: string) => {
    setText(name, newName);
    setText(role, newRole);
    setText(value, score);
    bar.hidden = !shares;
    now.style.width = `${100 * (shares?.[0] ?? 0)}%`;
    before.style.width = `${100 * (shares?.[1] ?? 0)}%`;
  };
  return { element, update };
}
