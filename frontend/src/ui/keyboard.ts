/** Division of the keyboard between a widget and the notebook. The arrow keys of tabs and radio buttons are in tabs.ts and radio_group.ts. */

const SUPPRESS_ATTRIBUTE = "data-lm-suppress-shortcuts";

/** Return whether a key is a shortcut of the notebook: Shift+Enter, or any key with Ctrl, Alt or Meta. */
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
 * Prevent JupyterLab from handling keys that are pressed in the widget (in command mode, "d d" would delete the cell).
 *
 * JupyterLab handles shortcuts before the key event reaches the element, unless the target or an ancestor has a data attribute. Set it on
 * the target for all keys except the notebook's shortcuts. Return a function that removes the listener.
 */
export function guardShortcuts(root: HTMLElement): () => void {
  const onKeydown = (event: KeyboardEvent) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element) || !root.contains(target)) return;
    if (isNotebookShortcut(event)) target.removeAttribute(SUPPRESS_ATTRIBUTE);
    else target.setAttribute(SUPPRESS_ATTRIBUTE, "true");
  };
  window.addEventListener("keydown", onKeydown, true);
  return () => window.removeEventListener("keydown", onKeydown, true);
}

/** Return whether a key press clears a search field, which the browser does on Escape. */
export function clearsSearch({ key, target }: KeyboardEvent): boolean {
  return key === "Escape" && target instanceof HTMLInputElement && target.type === "search" && target.value !== "";
}

/** Move the focus to the notebook's cell; outside a notebook, remove it. */
export function leaveWidget(root: HTMLElement): void {
  const cell = root.closest<HTMLElement>(".jp-Cell") ?? root.closest<HTMLElement>(".jp-Notebook");
  const focused = (root.getRootNode() as Document | ShadowRoot).activeElement;
  cell?.focus({ preventScroll: true });
  const current = (root.getRootNode() as Document | ShadowRoot).activeElement;
  if (current === focused && current instanceof HTMLElement) current.blur();
}
