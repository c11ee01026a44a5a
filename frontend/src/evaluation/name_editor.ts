/** The choice of the model's classes for one class of the image set. */
import { h } from "../ui/dom.ts";

export interface Editing {
  name: string;
  /** The model's classes that are right for it. */
  chosen: string[];
  /** The closest of the model's classes. */
  suggestions: string[];
  /** Whether they were chosen here. */
  isOverridden: boolean;
}

interface EditorActions {
  /** Returns the model's classes whose names resemble a text. */
  find: (query: string) => Promise<string[]>;
  /** Called with the chosen classes: none to leave the class out, null to match it by name. */
  choose: (classes: string[] | null) => void;
  close: () => void;
}

/** Create the editor: the chosen classes, a search, suggestions, and buttons to leave the class out or match it by name. */
export function createNameEditor(
  { name, chosen, suggestions, isOverridden }: Editing,
  { find, choose, close }: EditorActions,
): HTMLElement {
  const add = (found: string) => choose([...new Set([...chosen, found])]);
  const chips = chosen.map((known) => {
    const label = `Remove ${known}`;
    const onclick = () => choose(chosen.filter((other) => other !== known));
    return h(
      "button",
      { type: "button", class: "dwe-chip", "aria-label": label, title: label, onclick },
      known,
      h("i", { "aria-hidden": "true" }, "×"),
    );
  });
  const list = h("div", {
    class: "dwe-suggestions",
    role: "group",
    "aria-label": "Suggested classes of the model",
    "data-testid": "name-suggestions",
  });
  /** The text whose suggestions are listed, and that whose first suggestion was asked for before they were there. */
  let listed: string | null = null;
  let awaited: string | null = null;
  const addFirst = () => list.querySelector("button")?.click();
  const show = (names: string[]) => {
    const text = input.value.trim();
    const query = text || name;
    const others = names.filter((found) => !chosen.includes(found));
    const buttons = others.map((found) => h("button", { type: "button", class: "dwe-suggestion", onclick: () => add(found) }, found));
    list.replaceChildren(
      ...(buttons.length
        ? buttons
        : [h("span", { class: "dwc-dim" }, `No class of the model resembles “${query}”; search for another word.`)]),
    );
    listed = text;
    if (awaited === text) addFirst();
  };
  const properties = { type: "search", class: "dwx-search", placeholder: "search the model's classes…", "data-testid": "name-search" };
  const input = h("input", { ...properties, "aria-label": `Search the model's classes for ${name}` });
  input.addEventListener("input", async () => {
    const query = input.value.trim();
    awaited = null;
    const found = query ? await find(query) : suggestions;
    if (query === input.value.trim()) show(found);
  });
  input.addEventListener("keydown", (event) => {
    const text = input.value.trim();
    if (event.key === "Enter" && listed !== text) awaited = text;
    else if (event.key === "Enter" && list.querySelector("button")) addFirst();
    else if (event.key === "Escape" && !input.value) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  if (suggestions.length) show(suggestions);
  else void find(name).then((found) => input.value || show(found));
  const leaveOut = h(
    "button",
    { type: "button", class: "dwe-button", "data-testid": "name-leave-out", onclick: () => choose([]) },
    "Leave out",
  );
  const byName = h(
    "button",
    { type: "button", class: "dwe-button", "data-testid": "name-reset", onclick: () => choose(null) },
    "Match by name",
  );
  byName.hidden = !isOverridden;
  const head = h("div", { class: "dwe-name-head" }, ...chips, input, leaveOut, byName);
  return h("div", { class: "dwe-name-editor", "data-testid": "name-editor" }, head, list);
}
