/** The progress of the activation index, with a button that cancels the pass over the images, and one that goes on with it. */
import type { Progress } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatInteger, formatPace, formatProgress } from "../ui/format.ts";
import type { Table } from "./unit_table.ts";
import type { Overview } from "./wire.ts";

const SO_FAR = "The strongest activations in these. The units are sorted again when the index is complete.";

interface IndexContent {
  progress: Progress | null;
  /** The layers of the pass over the images that is running. */
  progressLayers: string[];
  /** The layers whose pass was cancelled. */
  cancelledLayers: string[];
  layer: string;
  /** The crops of the results that are shown; null: none are shown yet. */
  crops: number | null;
  overview: Overview;
}

/** Create the progress bar. While results of the first crops are shown, it says so. */
export function createIndexProgress({ steer }: { steer: (kind: "cancel_index" | "resume_index") => void }) {
  const bar = h("progress", { max: 1, "aria-label": "Activation index" });
  const text = h("span", { role: "status" });
  const title = h("p", {});
  const button = h("button", { type: "button", class: "dwl-steer", "data-testid": "steer-index" });
  button.addEventListener("click", () => steer(button.dataset.kind === "resume_index" ? "resume_index" : "cancel_index"));
  const element = h("div", { class: "dwx-index-progress", "data-testid": "progress", hidden: true }, title, bar, text, button);
  const update = (content: IndexContent) => {
    const { progress, cancelledLayers, layer, crops, overview } = content;
    const cancelled = cancelledLayers.includes(layer);
    const items = overview.crops > overview.photographs ? "crops" : "photographs";
    element.dataset.partial = String(crops !== null);
    element.dataset.cancelled = String(cancelled);
    element.title = crops === null ? "" : SO_FAR;
    setText(title, describeIndex(content, cancelled, items));
    if (progress?.total) bar.value = progress.done / progress.total;
    else bar.removeAttribute("value");
    const pace = progress?.total ? `${formatInteger(progress.done)} of ${formatInteger(progress.total)} · ${formatPace(progress)}` : "";
    setText(text, cancelled ? "" : crops === null || !progress ? formatProgress(progress, items) : pace);
    button.dataset.kind = cancelled ? "resume_index" : "cancel_index";
    setText(button, cancelled ? "Resume" : "Cancel");
    button.title = cancelled ? "Go on with the index" : "End the pass over the images. What is shown of it stays.";
  };
  return { element, update };
}

/** @param items what the images are called */
function describeIndex({ progress, progressLayers, layer, crops, overview }: IndexContent, cancelled: boolean, items: string): string {
  const isOwn = !progressLayers.length || progressLayers.includes(layer);
  const of = overview.layers.some(({ id }) => id === layer) ? "" : ` of ${layer}`;
  const shown = crops === null ? "" : ` Strongest in the first ${formatInteger(crops)} of ${formatInteger(overview.crops)} ${items}:`;
  if (cancelled) return `The index${of} was cancelled.${shown}`;
  if (shown) return `Building the index.${shown}`;
  if (progress && !isOwn) return `The index of ${layer} is built after the one that is being built now:`;
  return `Building the activation index${of}: the strongest activations of each unit`;
}

/** Return the overview of the crops whose results are shown. */
export function soFar(overview: Overview, table: Table | undefined): Overview {
  const crops = table?.crops ?? null;
  if (crops === null) return overview;
  return { ...overview, crops, photographs: overview.crops > overview.photographs ? 0 : crops };
}
