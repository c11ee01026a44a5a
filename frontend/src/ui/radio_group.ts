import { h } from "./dom.ts";

/** A choice as [name, label, hint]. */
export type Choice<Name extends string = string> = readonly [name: Name, label: string, hint?: string];

/** Create a radio group after the WAI-ARIA pattern: the checked button has the tab stop; arrow keys check another button. */
export function createRadioGroup<Name extends string>({
  label,
  testid,
  choices,
  prefix,
  pick,
}: {
  label: string;
  testid?: string;
  choices: readonly Choice<Name>[];
  prefix: string;
  pick: (name: Name) => void;
}) {
  const buttons = new Map<Name, HTMLButtonElement>();
  for (const [name, text, hint] of choices) {
    const properties = { type: "button", role: "radio", class: "dwx-segment", "data-testid": `${prefix}-${name}`, title: hint };
    buttons.set(name, h("button", { ...properties, onclick: () => pick(name) }, text));
  }
  const onkeydown = (event: KeyboardEvent) => {
    const shown = [...buttons].filter(([, button]) => !button.hidden);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const index = shown.findIndex(([, button]) => button === event.target);
    const next = step && index >= 0 ? shown[(index + step + shown.length) % shown.length] : undefined;
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    pick(next[0]);
    next[1].focus();
  };
  const properties = { role: "radiogroup", "aria-label": label, class: "dwx-segments", "data-testid": testid, onkeydown };
  const element = h("div", properties, ...buttons.values());
  const show = (checkedName: Name) => {
    for (const [name, button] of buttons) {
      button.setAttribute("aria-checked", String(name === checkedName));
      button.tabIndex = name === checkedName ? 0 : -1;
    }
  };
  const hide = (name: Name, hidden: boolean) => {
    const button = buttons.get(name);
    if (button) button.hidden = hidden;
  };
  const describe = (name: Name, hint: string) => {
    const button = buttons.get(name);
    if (button) button.title = hint;
  };
  return { element, show, hide, describe };
}
