import { h } from "./dom.ts";
import type { Choice } from "./radio_group.ts";

/**
 * Create tabs after the WAI-ARIA pattern: the selected tab has the tab stop; arrow keys, Home and End select another tab.
 *
 * @param id the id of the widget, unique in the page
 * @param panels the panel of each tab; tabs may share a panel
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
  const buttons = tabs.map(([name, text, hint]) => {
    const panel = panels[name];
    panel.id ||= `${id}-${prefix}-${name}-panel`;
    const properties = { id: `${id}-${prefix}-${name}`, type: "button", role: "tab", class: "dwx-segment", title: hint };
    return h("button", { ...properties, "aria-controls": panel.id, "data-testid": `${prefix}-${name}`, onclick: () => pick(name) }, text);
  });
  for (const panel of new Set<HTMLElement>(Object.values(panels))) {
    panel.setAttribute("role", "tabpanel");
    panel.hidden = true; // until a tab is selected
  }
  const onkeydown = (event: KeyboardEvent) => {
    const index = buttons.indexOf(event.target as HTMLButtonElement);
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[event.key];
    const target = next === undefined ? undefined : ((next % tabs.length) + tabs.length) % tabs.length;
    const name = target === undefined ? undefined : tabs[target]?.[0];
    if (index < 0 || target === undefined || name === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    pick(name);
    buttons[target]?.focus();
  };
  const element = h("div", { role: "tablist", "aria-label": label, class: "dwx-segments", "data-testid": testid, onkeydown }, ...buttons);
  const show = (selectedName: Name) => {
    tabs.forEach(([name], index) => {
      const button = buttons[index];
      const selected = name === selectedName;
      button?.setAttribute("aria-selected", String(selected));
      if (button) button.tabIndex = selected ? 0 : -1;
      if (panels[name] !== panels[selectedName]) panels[name].hidden = true;
    });
    panels[selectedName].hidden = false;
    panels[selectedName].setAttribute("aria-labelledby", `${id}-${prefix}-${selectedName}`);
  };
  const focus = () => buttons.find((button) => button.tabIndex === 0)?.focus();
  return { element, show, focus };
}
