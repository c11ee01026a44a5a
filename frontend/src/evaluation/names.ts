/** The table that maps the classes of the image set to the model's classes. */
import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { focusedElement, h, setText } from "../ui/dom.ts";
import { formatInteger } from "../ui/format.ts";
import { createNameEditor, type Editing } from "./name_editor.ts";
import { describeMatches } from "./texts.ts";
import type { ClassMatch, DataSummary, EvaluationState, Mapping } from "./wire.ts";

const HOW: Record<ClassMatch["how"], string> = {
  exact: "same name",
  case: "same name, written differently",
  synset: "synset ID",
  table: "chosen here",
  number: "same number",
  none: "no match",
};

/** Return a mapping in which a class is mapped to names; null removes its entry, so that it is matched by name. */
export function withNames(mapping: Mapping, name: string, classes: string[] | null): Mapping {
  const { [name]: _, ...others } = mapping;
  return classes === null ? others : { ...others, [name]: classes };
}

/** Return the matches in the order of the table: those without a class first. */
export function orderMatches(matches: ClassMatch[]): ClassMatch[] {
  const isOpen = ({ classes, how }: ClassMatch) => Number(!classes.length && how !== "table");
  return [...matches].sort((a, b) => isOpen(b) - isOpen(a));
}

interface NamesOptions {
  client: KernelClient;
  set: (patch: Partial<EvaluationState>) => void;
  showStatus: (text: string) => void;
}

/** Create the table: a row for each class of the image set, with its photographs, the model's classes, and how they were found. */
export function createNames({ client, set, showStatus }: NamesOptions) {
  const words = h("p", { "data-testid": "names-words" });
  const search = h("input", {
    type: "search",
    class: "dwx-search",
    placeholder: "class…",
    "aria-label": "Find a class of the image set",
    "data-testid": "names-find",
    oninput: () => filter(),
  });
  const body = h("tbody", {});
  const heading = ["class of the image set", "photographs", "model's classes", ""].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", { class: "dwe-names", "data-testid": "names" }, h("thead", {}, h("tr", {}, ...heading)), body);
  const element = h(
    "section",
    { class: "dwe-name-view", "aria-label": "Class names" },
    h("div", { class: "dwc-tools" }, search),
    words,
    table,
  );
  let rows: { match: ClassMatch; element: HTMLElement }[] = [];
  let shown: DataSummary | null = null;
  let mapping: Mapping = {};
  let open = ""; // the name of the class whose editor is open
  let openOrder: string[] = []; // the order of the rows while an editor is open: they must not jump

  const find = async (query: string): Promise<string[]> => {
    try {
      const reply = await client.request<{ classes: string[] }>("classes", { query, limit: 12 }, { owner: element });
      return reply?.content.classes ?? [];
    } catch (error) {
      showStatus(errorMessage(error));
      return [];
    }
  };
  const choose = (name: string, classes: string[] | null) => set({ mapping: withNames(mapping, name, classes) });
  const toggle = (name: string) => {
    open = open === name ? "" : name;
    openOrder = open ? rows.map(({ match }) => match.name) : [];
    draw();
    body.querySelector<HTMLElement>(open ? ".dwe-name-editor input" : `[data-name="${CSS.escape(name)}"] button`)?.focus();
  };

  const createRow = (match: ClassMatch, classes: string[]) => {
    const names = match.classes.map((label) => classes[label] ?? `class ${label}`);
    const isOpen = match.name === open;
    const isLeftOut = match.how === "table" && !names.length;
    const text = isLeftOut ? "left out" : names.join(", ") || match.problem || "no class of this name";
    const state = isLeftOut ? "left-out" : names.length ? "matched" : "unmatched";
    const properties = { type: "button", class: "dwe-button", "aria-expanded": String(isOpen), "data-testid": `name-${match.name}` };
    const button = h("button", { ...properties, onclick: () => toggle(match.name) }, isOpen ? "Close" : names.length ? "Change" : "Choose");
    const found = h(
      "td",
      { class: "dwe-name-classes" },
      h("span", {}, text),
      isLeftOut ? null : h("span", { class: "dwc-dim" }, HOW[match.how]),
    );
    const cells = [
      h("th", { scope: "row" }, match.name),
      h("td", { class: "dwc-number" }, formatInteger(match.photographs)),
      found,
      h("td", {}, button),
    ];
    return h("tr", { "data-state": state, "data-name": match.name }, ...cells);
  };

  const createEditorRow = (match: ClassMatch, classes: string[]) => {
    const named = (labels: number[]) => labels.map((label) => classes[label] ?? "").filter(Boolean);
    const editing: Editing = {
      name: match.name,
      chosen: named(match.classes),
      suggestions: named(match.candidates),
      isOverridden: Object.hasOwn(mapping, match.name),
    };
    const editor = createNameEditor(editing, { find, choose: (names) => choose(match.name, names), close: () => toggle(match.name) });
    return h("tr", {}, h("td", { colspan: 4 }, editor));
  };

  const draw = () => {
    if (!shown) return;
    const { matches, classes } = shown;
    const ordered = open && openOrder.length ? keepOrder(matches, openOrder) : orderMatches(matches);
    rows = ordered.map((match) => ({ match, element: createRow(match, classes) }));
    const elements = rows.flatMap(({ match, element: row }) => (match.name === open ? [row, createEditorRow(match, classes)] : [row]));
    body.replaceChildren(...elements);
    filter();
  };
  const filter = () => {
    const query = search.value.trim().toLowerCase();
    for (const { match, element: row } of rows) row.hidden = match.name !== open && !match.name.toLowerCase().includes(query);
  };

  const update = (summary: DataSummary | null, state: EvaluationState) => {
    table.hidden = search.hidden = !summary?.matches.length;
    setText(
      words,
      summary ? (summary.matches.length ? describeMatches(summary) : "This model has no classes to match.") : "Reading the folders…",
    );
    ({ mapping } = state);
    if (!summary || summary === shown) return;
    shown = summary;
    const wasFocused = body.contains(focusedElement(body));
    draw();
    if (wasFocused && open) body.querySelector<HTMLElement>(".dwe-name-editor input")?.focus();
  };
  return { element, update };
}

function keepOrder(matches: ClassMatch[], order: string[]): ClassMatch[] {
  const position = new Map(order.map((name, index) => [name, index]));
  return [...matches].sort((a, b) => (position.get(a.name) ?? 0) - (position.get(b.name) ?? 0));
}
