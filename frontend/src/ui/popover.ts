/**
 * Let a button show and hide a panel below it. Escape and a click elsewhere hide it.
 * @param opened called when the panel is shown
 */
export function createPopover({
  button,
  panel,
  element,
  opened = () => {},
}: {
  button: HTMLElement;
  panel: HTMLElement;
  element: HTMLElement;
  opened?: () => void;
}) {
  const show = (shown: boolean) => {
    if (shown) opened();
    panel.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  };
  button.addEventListener("click", () => show(Boolean(panel.hidden)));
  element.addEventListener("keydown", (event) => {
    if (event.target === button && (event.key === "Enter" || event.key === " ")) event.stopPropagation(); // the browser clicks the button
    if (event.key !== "Escape" || panel.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    show(false);
    button.focus();
  });
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (!element.contains(relatedTarget as Node | null)) show(false);
  });
  // With a tabindex, a click on its text keeps the focus inside: the text can be selected.
  panel.tabIndex = -1;
  show(false);
  return { show };
}
