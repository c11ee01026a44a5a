import { h, setText } from "./dom.ts";

const WAITING = "Waiting for the kernel; it replies when the running cells have finished.";

export interface HeaderContent {
  model: string;
  trained: boolean;
  title: string;
  origin: string;
  notes: string[];
}

/**
 * Create the header: the model, a title, and the origin of weights and images.
 * @param tools controls on the right
 */
export function createHeader(...tools: Node[]) {
  const name = h("b", { class: "dwx-model" });
  const title = h("span", { class: "dwx-title", "data-testid": "title" }, WAITING);
  const origin = h("span", { class: "dwx-origin", "data-testid": "origin" });
  const untrained = h("span", { class: "dwx-untrained", hidden: true }, "untrained: random weights");
  const onclick = () => notes.setAttribute("aria-expanded", String(notes.getAttribute("aria-expanded") !== "true"));
  const notes = h("button", {
    type: "button",
    class: "dwx-notes",
    "aria-expanded": "false",
    "data-testid": "notes",
    hidden: true,
    onclick,
  });
  const description = h("div", { class: "dwx-description" }, h("div", { class: "dwx-line" }, name, untrained, title), origin);
  const element = h("header", { class: "dwx-header" }, h("div", { class: "dwx-top" }, description, ...tools), notes);

  const update = (content: HeaderContent) => {
    setText(name, content.model);
    untrained.hidden = content.trained;
    for (const [part, text] of [
      [title, content.title],
      [origin, content.origin],
    ] as const) {
      setText(part, text);
      part.title = text;
    }
    setText(notes, content.notes.join(" "));
    notes.hidden = content.notes.length === 0;
  };
  return { element, update };
}
