/** The summary of the selected data. */
import { h, setText } from "../ui/dom.ts";
import { formatCount, formatInteger } from "../ui/format.ts";
import type { DataSummary, TransferState } from "./wire.ts";

const COMMON_SIZES = [60, 45, 30, 20, 15, 10, 5, 4, 3, 2, 1]; // numbers of training images per class

/** Return the largest common number of training images per class if the data has fewer images than requested; else null. */
export function suggestImagesPerClass(summary: Pick<DataSummary, "problem" | "most"> | null, requested: number): number | null {
  if (!summary?.problem || !(summary.most >= 1) || summary.most >= requested) return null;
  return COMMON_SIZES.find((number) => number <= summary.most) ?? null;
}

function describeData({ categories, sizes, photographs }: DataSummary): string {
  const parts = [formatCount(categories.length, "class", "classes"), formatCount(photographs, "photograph")];
  const smallest = Math.min(...sizes);
  if (sizes.length && sizes.every((size) => size === smallest)) parts.push(`${formatInteger(smallest)} in each class`);
  else if (sizes.length) parts.push(`the smallest, ${categories[sizes.indexOf(smallest)]}, has ${formatInteger(smallest)}`);
  return parts.join(" · ");
}

export interface DataContent {
  summary: DataSummary | null;
  error: string;
  /** Whether the kernel is reading the data. */
  loading: boolean;
  /** The requested number of training images per class. */
  requested: number;
}

export function createDataSummary({ set }: { set: (patch: Partial<TransferState>) => void }) {
  let suggested: number | null = null;
  const loadingNote = h("p", { class: "dwt-small", "data-testid": "data-looking" }, "Reading the folders…");
  const name = h("b", {});
  const facts = h("p", { class: "dwt-small", "data-testid": "data-facts" });
  const notes = h("ul", { class: "dwt-notes", "data-testid": "data-notes" });
  const classList = h("p", { class: "dwt-small" });
  const classes = h("details", { class: "dwt-classes" }, h("summary", { "data-testid": "data-classes" }, "Classes"), classList);
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "data-problem" });
  const useSuggested = () => suggested !== null && set({ images_per_class: suggested });
  const useFewerButton = h("button", { type: "button", class: "dwt-button", "data-testid": "take-fewer", onclick: useSuggested });
  const parts = [loadingNote, name, facts, notes, classes, problem, useFewerButton];
  const element = h("div", { class: "dwt-data-summary", "data-testid": "data-summary" }, ...parts);

  const update = ({ summary, error, loading, requested }: DataContent) => {
    suggested = suggestImagesPerClass(summary, requested);
    useFewerButton.hidden = suggested === null;
    setText(useFewerButton, `Use ${suggested} per class`);
    element.dataset.ready = String(!loading);
    loadingNote.hidden = !loading || Boolean(summary);
    name.hidden = facts.hidden = notes.hidden = !summary;
    classes.hidden = !summary?.categories.length;
    setText(problem, error || summary?.problem || "");
    problem.hidden = !problem.textContent;
    if (!summary) return;
    setText(name, summary.name);
    setText(facts, describeData(summary));
    const skipped = summary.skipped.map(({ name, reason }) => `${name}: ${reason}`);
    notes.replaceChildren(...summary.notes.map((note) => h("li", { title: skipped.join("\n") || null }, note)));
    setText(classList, summary.categories.map((category, index) => `${category} ${summary.sizes[index]}`).join(", "));
  };
  return { element, update };
}
