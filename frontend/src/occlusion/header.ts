import { h, setText } from "../ui/dom.ts";
import { percent } from "../ui/format.ts";
import { createMenu } from "../ui/menu.ts";
import type { Overview } from "../kernel/wire.ts";
import type { Scene } from "./store.ts";

const OCCLUSION_FILES: [string, string][] = [
  ["figure.png", "Figure as PNG"],
  ["figure.svg", "Figure as SVG"],
  ["figure.html", "Figure as HTML page"],
  ["maps.npz", "Maps as arrays (.npz)"],
];

/** @param file such as "figure.png" */
export function occlusionFileName(model: string, image: string, file: string) {
  return `${model}-occlusion-${image}-${file}`.replace(/[^\w.-]+/g, "_");
}

/** The model, the image and what the model says of it; the way to another image, and out of the page. */
export function createOcclusionHeader({ images, save, copy }: { images: () => void; save: (file: string) => void; copy: () => void }) {
  const name = h("b", { class: "dwx-model" });
  const title = h(
    "span",
    { class: "dwx-title", "data-testid": "title" },
    "waiting for the kernel: it answers when the running cells are done",
  );
  const origin = h("span", { class: "dwx-origin", "data-testid": "origin" });
  const untrained = h("span", { class: "dwx-untrained", hidden: true }, "untrained: random weights");
  const notes = h("button", { type: "button", class: "dwx-notes", "aria-expanded": "false", "data-testid": "notes", hidden: true });
  notes.addEventListener("click", () => notes.setAttribute("aria-expanded", String(notes.getAttribute("aria-expanded") !== "true")));
  const words = h("div", { class: "dwx-words" }, h("div", { class: "dwx-line" }, name, untrained, title), origin);
  const items = OCCLUSION_FILES.map(([file, text]) => ({ words: text, testid: `export-${file}`, act: () => save(file) }));
  items.push({ words: "Copy state as Python", testid: "copy-state", act: copy });
  const other = h("button", { type: "button", class: "dwo-plain", "data-testid": "other-image", onclick: images }, "Another image…");
  const menu = createMenu({ label: "Export", words: "Export…", testid: "export-menu", items });
  const element = h("header", { class: "dwx-header" }, h("div", { class: "dwx-top" }, words, other, menu), notes);

  /** @param scene null before it is there */
  const update = (overview: Overview, scene: Scene | null) => {
    setText(name, overview.model);
    untrained.hidden = overview.trained;
    setText(
      origin,
      [overview.weights, overview.classifier ? `classes: ${overview.classifier}` : "no classifier", overview.images, overview.device].join(
        " · ",
      ),
    );
    origin.title = origin.textContent ?? "";
    setText(notes, [scene?.note, ...overview.notes].filter(Boolean).join(" "));
    notes.hidden = !notes.textContent;
    if (!scene) return;
    const best = [...scene.classes].sort((a, b) => b.before - a.before)[0];
    const truth = scene.label ? `${scene.caption} (${scene.label})` : scene.caption;
    setText(title, best ? `${truth} · the network says ${best.name}, ${percent(best.before)}` : truth);
    title.title = title.textContent ?? "";
  };
  return { element, update };
}
