import { h } from "./dom.ts";
import type { Choice } from "./radio_group.ts";

/**
 * Tabs after the WAI-ARIA pattern: the chosen tab is the one tab stop; arrow keys, Home and End move and choose.
 *
 * @param id of the widget, unique in the page
 * @param panels the element of each tab; tabs may share one
 */
export function createTabs<Name extends string>({
  id,
  label,
  testid,
  prefix,
  tabs,
  panels,
  pick,
}: {
  id: string;
  label: string;
  testid: string;
  prefix: string;
  tabs: readonly Choice<Name>[];
  panels: Record<Name, HTMLElement>;
  pick: (name: Name) => void;
}) {
  const buttons = tabs.map(([name, words, hint]) => {
    const panel = panels[name];
    panel.id ||= `${id}-${prefix}-${name}-panel`;
    const properties = { id: `${id}-${prefix}-${name}`, type: "button", role: "tab", class: "dwx-segment", title: hint };
    return h("button", { ...properties, "aria-controls": panel.id, "data-testid": `${prefix}-${name}`, onclick: () => pick(name) }, words);
  });
  for (const panel of new Set<HTMLElement>(Object.values(panels))) {
    panel.setAttribute("role", "tabpanel");
    panel.hidden = true; // until the chosen tab is known
  }
  const onkeydown = (event: KeyboardEvent) => {
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    const to = next === undefined ? undefined : ((next % tabs.length) + tabs.length) % tabs.length;
    const name = to === undefined ? undefined : tabs[to]?.[0];
    if (at < 0 || to === undefined || name === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    pick(name);
    buttons[to]?.focus();
  };
  const element = h("div", { role: "tablist", "aria-label": label, class: "dwx-segments", "data-testid": testid, onkeydown }, ...buttons);
  const show = (chosen: Name) => {
    tabs.forEach(([name], at) => {
      const button = buttons[at];
      const selected = name === chosen;
      button?.setAttribute("aria-selected", String(selected));
      if (button) button.tabIndex = selected ? 0 : -1;
      if (panels[name] !== panels[chosen]) panels[name].hidden = true;
    });
    panels[chosen].hidden = false;
    panels[chosen].setAttribute("aria-labelledby", `${id}-${prefix}-${chosen}`);
  };
  const focus = () => buttons.find((button) => button.tabIndex === 0)?.focus();
  return { element, show, focus };
}
