import { focusedElement } from "./dom.ts";
import { focusOnce } from "./showing.ts";

/**
 * Draw, and keep the keyboard focus in an element: a control that was focused may be disabled, hidden or removed by the drawing, and the
 * browser would then give the focus to the page, so that no key reaches the element any more.
 */
export function keepFocus(root: HTMLElement, draw: () => void): void {
  const before = focusedElement(root);
  const inside = before !== null && root.contains(before);
  draw();
  if (!inside) return;
  const now = focusedElement(root);
  const kept = now !== null && root.contains(now) && !now.matches(":disabled") && !now.closest("[hidden]");
  if (!kept) focusOnce(root);
}
