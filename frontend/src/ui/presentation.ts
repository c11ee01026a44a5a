/**
 * Presentation mode: a widget fills the browser's window, with large type, without header and footer.
 *
 * The widget is shown as a popover, which the browser draws above everything else, whatever the notebook's elements contain or clip. It
 * needs no permission, as full screen would (it is refused in the webviews of VS Code); with the browser's own full screen (F11) both fill
 * the screen. Elements keep their place in the document, so that nothing is loaded or drawn again.
 */
import { focusedElement, h } from "./dom.ts";
import { clearsSearch } from "./keyboard.ts";

// The size in CSS pixels that a widget is magnified from. Smaller windows are not magnified.
const [WIDTH, HEIGHT] = [1090, 700];
const MAX_ZOOM = 3;

export const PRESENT_HINT = "Presentation: fill the window, with larger type (F; Esc to leave)";

/** Return the magnification in a window. */
export function presentationZoom(width: number, height: number): number {
  return Math.min(MAX_ZOOM, Math.max(1, Math.min(width / WIDTH, height / HEIGHT)));
}

/** Return whether a key press is text, or selects an option of a list. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches("input:not([type=range], [type=checkbox], [type=color]), select, textarea");
}

export class Presentation {
  /** Leaves the presentation; shown during the presentation only. */
  readonly closeButton = h(
    "button",
    { type: "button", class: "dwx-present-close", title: "Leave the presentation (Esc)", "aria-label": "Leave the presentation" },
    "×",
  );
  private cleanups: (() => void)[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly container: HTMLElement,
  ) {
    this.closeButton.addEventListener("click", () => this.leave());
  }

  get active(): boolean {
    return this.cleanups.length > 0;
  }

  toggle(): void {
    if (this.active) this.leave();
    else this.enter();
  }

  /** Enter by F, and leave by F or Escape. Return whether the key was one of these. */
  handleKey(event: KeyboardEvent): boolean {
    const leaves = event.key === "Escape" && this.active && !event.defaultPrevented && !clearsSearch(event);
    const toggles = event.key.toLowerCase() === "f" && !isTyping(event.target);
    if ((!leaves && !toggles) || this.root.querySelector("dialog[open]")) return false; // Escape closes the dialog
    this.toggle();
    return true;
  }

  enter(): void {
    if (this.active) return;
    const { root, container } = this;
    const positions = scrollPositions(container);
    const focused = focusedElement(root);
    container.style.minHeight = `${container.offsetHeight}px`; // the notebook must not scroll
    root.classList.add("dwx-presenting");
    root.tabIndex = -1; // a click between the controls must not move the focus to the notebook
    root.setAttribute("popover", "manual");
    root.showPopover?.();
    const fit = () => root.style.setProperty("--dwx-zoom", presentationZoom(innerWidth, innerHeight).toFixed(3));
    const onKeydown = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || root.contains(event.composedPath()[0] as Node)) return;
      event.preventDefault();
      event.stopPropagation();
      this.leave();
    };
    fit();
    window.addEventListener("resize", fit);
    window.addEventListener("keydown", onKeydown, true);
    if (!root.contains(focused)) root.focus({ preventScroll: true });
    this.cleanups = [
      () => window.removeEventListener("resize", fit),
      () => window.removeEventListener("keydown", onKeydown, true),
      () => root.hidePopover?.(),
      () => root.removeAttribute("popover"),
      () => root.removeAttribute("tabindex"),
      () => root.classList.remove("dwx-presenting"),
      () => container.style.removeProperty("min-height"),
      () => focused instanceof HTMLElement && focused.focus({ preventScroll: true }),
      () => restore(positions),
    ];
  }

  leave(): void {
    for (const cleanup of this.cleanups.splice(0)) cleanup();
  }
}

type Position = [element: Element, top: number, left: number];

function scrollPositions(element: Element): Position[] {
  const positions: Position[] = [];
  for (let parent: Element | null = element; parent; parent = parent.parentElement) {
    if (parent.scrollTop || parent.scrollLeft) positions.push([parent, parent.scrollTop, parent.scrollLeft]);
  }
  return positions;
}

function restore(positions: Position[]): void {
  for (const [element, top, left] of positions) {
    element.scrollTop = top;
    element.scrollLeft = left;
  }
}
