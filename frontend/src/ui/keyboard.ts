/** Which keys belong to a widget, and which to the notebook around it. */

const SUPPRESS = "data-lm-suppress-shortcuts";

/** Return whether a key stays the notebook's: saving, running the cell, and all that is pressed with Ctrl, Alt or Meta. */
export function isNotebookShortcut(event: {
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  key: string;
}): boolean {
  return event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
}

/**
 * Keep JupyterLab from taking keys that are typed in the widget (in command mode "d d" would delete the cell).
 *
 * JupyterLab looks for shortcuts before any element gets the key: it walks up from the focused element to one with an attribute. Set it
 * on that element for all keys but the notebook's own.
 * @returns the function that ends it
 */
export function guardShortcuts(root: HTMLElement): () => void {
  const listen = (event: KeyboardEvent) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element) || !root.contains(target)) return;
    if (isNotebookShortcut(event)) target.removeAttribute(SUPPRESS);
    else target.setAttribute(SUPPRESS, "true");
  };
  window.addEventListener("keydown", listen, true);
  return () => window.removeEventListener("keydown", listen, true);
}

/** Give the focus back to the notebook's cell, or take it away where there is none. */
export function leaveWidget(root: HTMLElement): void {
  const cell = root.closest<HTMLElement>(".jp-Cell") ?? root.closest<HTMLElement>(".jp-Notebook");
  const focused = (root.getRootNode() as Document | ShadowRoot).activeElement;
  cell?.focus({ preventScroll: true });
  const now = (root.getRootNode() as Document | ShadowRoot).activeElement;
  if (now === focused && now instanceof HTMLElement) now.blur();
}
