/** The field for a condition on the columns of the units, such as "selectivity > 5 and not dead". */
import { focusedElement, h, setText } from "../ui/dom.ts";
import type { UnitColumns } from "./unit_queries.ts";

const HINT = "Keep the units for which a condition holds, such as selectivity > 5 and not dead";
interface WhereContent {
  where: string;
  columns: UnitColumns | undefined;
  /** Why the condition could not be read. */
  reason: string;
  /** Whether the index is complete. */
  ready: boolean;
}

const TYPING_DELAY = 500; // ms; what is being typed is seldom a condition yet

/**
 * Create the field. While it is edited, the columns are listed below it; a click inserts the name of one.
 * @param set called with the condition
 */
export function createWhereBox({ id, set }: { id: string; set: (where: string) => void }) {
  const list = h("div", { class: "dwl-columns", role: "group", "aria-label": "Columns for conditions", "data-testid": "where-columns" });
  list.hidden = true;
  const error = h("p", { class: "dwx-error dwl-where-error", id: `${id}-where-error`, role: "status", hidden: true });
  error.dataset.testid = "where-error";
  const input = h("input", {
    type: "search",
    class: "dwx-search",
    placeholder: "condition: selectivity > 5",
    title: HINT,
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": "Condition on the units",
    "aria-describedby": error.id,
    "data-testid": "where",
  });
  const element = h("div", { class: "dwl-where", "data-part": "where" }, input, list, error);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let listed: UnitColumns | null = null;

  const submit = () => {
    clearTimeout(timer);
    set(input.value.trim());
  };
  const insert = (name: string) => {
    const { selectionStart, selectionEnd, value } = input;
    const before = value.slice(0, selectionStart ?? value.length);
    const spaced = `${before && !/[\s(]$/.test(before) ? " " : ""}${name} `;
    input.value = before + spaced + value.slice(selectionEnd ?? value.length);
    input.focus();
    input.setSelectionRange(before.length + spaced.length, before.length + spaced.length);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(submit, TYPING_DELAY);
    list.hidden = !listed;
  });
  input.addEventListener("change", submit);
  element.addEventListener("focusin", () => {
    list.hidden = !listed;
  });
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (!element.contains(relatedTarget as Node | null)) list.hidden = true;
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === input) {
      submit();
      list.hidden = true; // it would cover the units that were found
      event.preventDefault();
    }
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (!list.hidden) list.hidden = true;
    else if (input.value) {
      input.value = "";
      submit();
    }
    input.focus();
  });

  const update = ({ where, columns, reason, ready }: WhereContent) => {
    input.disabled = !ready;
    input.title = ready ? HINT : "Conditions can be set when the index is complete";
    if (focusedElement(input) !== input && input.value !== where) input.value = where;
    error.hidden = !reason;
    setText(error, reason);
    input.setAttribute("aria-invalid", String(Boolean(reason)));
    if (!columns || columns === listed) return;
    listed = columns;
    const buttons = columns.names.map(([name, meaning]) =>
      h(
        "button",
        { type: "button", class: "dwl-column", "data-testid": `column-${name}`, onclick: () => insert(name) },
        h("b", {}, name),
        ` ${meaning}`,
      ),
    );
    const example = h("p", { class: "dwl-column-note" }, "Compare with numbers; join with and, or, not and parentheses.");
    list.replaceChildren(...buttons, example);
    list.hidden = focusedElement(input) !== input;
  };
  return { element, update, close: () => clearTimeout(timer) };
}
