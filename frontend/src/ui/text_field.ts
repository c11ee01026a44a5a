import { UserError } from "../kernel/errors.ts";
import { focusedElement, h } from "./dom.ts";

export interface FieldListeners {
  showStatus: (message: string) => void;
  /** Called on Enter. @param changed whether the value has changed */
  onEnter: (changed: boolean) => void;
}

interface FieldOptions<Value> extends FieldListeners {
  label: string;
  testid: string;
  hint?: string;
  placeholder?: string;
  wide?: boolean;
  numeric?: boolean;
  /** Parse the text; throw UserError if it is invalid. */
  parse: (text: string) => Value;
  accept: (value: Value) => void;
}

/** Create a labelled text field. Invalid text is marked, and the reason is shown in the status. */
export function createTextField<Value>(options: FieldOptions<Value>) {
  const { label, testid, hint, placeholder, wide, numeric, parse, accept, showStatus, onEnter } = options;
  const properties = { type: "text", class: "dwx-input", title: hint, placeholder, spellcheck: "false", autocomplete: "off" };
  const input = h("input", { ...properties, inputmode: numeric ? "decimal" : null, "data-testid": testid });
  const element = h("label", { class: wide ? "dwx-field dwx-wide" : "dwx-field", title: hint }, h("span", {}, label), input);
  let shown = "";

  /** Return whether the value has changed; null if the text is invalid. */
  const commit = (): boolean | null => {
    const text = input.value.trim();
    if (text === shown) return false;
    try {
      const value = parse(text);
      input.removeAttribute("aria-invalid");
      shown = text;
      accept(value);
      return true;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      input.setAttribute("aria-invalid", "true");
      showStatus(`${label}: ${error.message}`);
      return null;
    }
  };
  input.addEventListener("change", commit);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const changed = commit();
    if (changed !== null) onEnter(changed);
  });

  const show = (text: string) => {
    const edited = input.value.trim() !== shown;
    if (text === shown && !edited) return;
    if (edited && focusedElement(input) === input) return; // the user is editing it
    shown = text;
    input.value = text;
    input.removeAttribute("aria-invalid");
  };
  return { element, input, show };
}
