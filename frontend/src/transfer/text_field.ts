import { UserError } from "../kernel/errors.ts";
import { focusedElement, h } from "../ui/dom.ts";

export interface FieldListeners {
  showStatus: (message: string) => void;
  /** Called when Enter is pressed. @param changed whether that changed the value */
  entered: (changed: boolean) => void;
}

interface FieldOptions<Value> extends FieldListeners {
  label: string;
  testid: string;
  hint?: string;
  placeholder?: string;
  wide?: boolean;
  numeric?: boolean;
  /** Parse the text; throw UserError for what is not valid. */
  parse: (text: string) => Value;
  accept: (value: Value) => void;
}

/** A labelled text field. Invalid text is marked, and the reason said. */
export function createTextField<Value>(options: FieldOptions<Value>) {
  const { label, testid, hint, placeholder, wide, numeric, parse, accept, showStatus, entered } = options;
  const properties = { type: "text", class: "dwt-input", title: hint, placeholder, spellcheck: "false", autocomplete: "off" };
  const input = h("input", { ...properties, inputmode: numeric ? "decimal" : null, "data-testid": testid });
  const element = h("label", { class: wide ? "dwt-field dwt-wide" : "dwt-field", title: hint }, h("span", {}, label), input);
  let shown = "";

  /** Return whether the value changed; null where the text is invalid. */
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
    if (changed !== null) entered(changed);
  });

  const show = (text: string) => {
    const typed = input.value.trim() !== shown;
    if (text === shown && !typed) return;
    if (typed && focusedElement(input) === input) return; // it is being edited
    shown = text;
    input.value = text;
    input.removeAttribute("aria-invalid");
  };
  return { element, input, show };
}
