/** What is known of the chosen data. */
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import type { DataSummary, TransferState } from "./wire.ts";

const USUAL_NUMBERS = [60, 45, 30, 20, 15, 10, 5, 4, 3, 2, 1]; // of training images per class

/** Return the largest usual number of training images per class, where the data has fewer than asked for; else null. */
export function enoughImages(summary: Pick<DataSummary, "problem" | "most"> | null, asked: number): number | null {
  if (!summary?.problem || !(summary.most >= 1) || summary.most >= asked) return null;
  return USUAL_NUMBERS.find((number) => number <= summary.most) ?? null;
}

function describeData({ categories, sizes, photographs }: DataSummary): string {
  const parts = [formatCount(categories.length, "class", "classes"), formatCount(photographs, "photograph")];
  const least = Math.min(...sizes);
  if (sizes.length && sizes.every((size) => size === least)) parts.push(`${formatInteger(least)} in each class`);
  else if (sizes.length) parts.push(`the smallest, ${categories[sizes.indexOf(least)]}, has ${formatInteger(least)}`);
  return parts.join(" · ");
}

export interface DataContent {
  summary: DataSummary | null;
  error: string;
  /** Whether the kernel is reading the folders. */
  loading: boolean;
  /** Training images per class that are asked for. */
  asked: number;
}

export function createDataSummary({ set }: { set: (patch: Partial<TransferState>) => void }) {
  let enough: number | null = null;
  const wait = h("p", { class: "dwt-small", "data-testid": "data-looking" }, "Reading the folders…");
  const name = h("b", {});
  const facts = h("p", { class: "dwt-small", "data-testid": "data-facts" });
  const notes = h("ul", { class: "dwt-notes", "data-testid": "data-notes" });
  const classList = h("p", { class: "dwt-small" });
  const classes = h("details", { class: "dwt-classes" }, h("summary", { "data-testid": "data-classes" }, "Classes"), classList);
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "data-problem" });
  const takeFewer = () => enough !== null && set({ images_per_class: enough });
  const fewer = h("button", { type: "button", class: "dwt-plain", "data-testid": "take-fewer", onclick: takeFewer });
  const parts = [wait, name, facts, notes, classes, problem, fewer];
  const element = h("div", { class: "dwt-known", "data-testid": "data-summary" }, ...parts);

  const update = ({ summary, error, loading, asked }: DataContent) => {
    enough = enoughImages(summary, asked);
    fewer.hidden = enough === null;
    setText(fewer, `Use ${enough} per class`);
    element.dataset.ready = String(!loading);
    wait.hidden = !loading || Boolean(summary);
    name.hidden = facts.hidden = notes.hidden = !summary;
    classes.hidden = !summary?.categories.length;
    setText(problem, error || summary?.problem || "");
    problem.hidden = !problem.textContent;
    if (!summary) return;
    setText(name, summary.name);
    setText(facts, describeData(summary));
    const skipped = summary.skipped.map((one) => `${one.name}: ${one.reason}`);
    notes.replaceChildren(...summary.notes.map((note) => h("li", { title: skipped.join("\n") || null }, note)));
    setText(classList, summary.categories.map((category, at) => `${category} ${summary.sizes[at]}`).join(", "));
  };
  return { element, update };
}
