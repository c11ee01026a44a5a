/** Items of a grid that the pointer is about to select: their data is requested before the click. */

const HOVER_DELAY = 100; // ms before a hovered item is prefetched

export type PrefetchReason = "hovered" | "pressed";

/**
 * Call `prefetch` when the pointer rests on an item, and when the mouse presses it.
 * @param itemAt returns the item at an element, or null
 */
export function prefetchOnPointer<Item>(
  grid: HTMLElement,
  itemAt: (element: Element) => Item | null,
  prefetch: (item: Item, reason: PrefetchReason) => void,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const itemOf = ({ target }: Event) => (target instanceof Element ? itemAt(target) : null);
  grid.addEventListener("pointerover", (event) => {
    clearTimeout(timer);
    const item = itemOf(event);
    if (item !== null) timer = setTimeout(() => prefetch(item, "hovered"), HOVER_DELAY);
  });
  grid.addEventListener("pointerleave", () => clearTimeout(timer));
  grid.addEventListener("pointerdown", (event) => {
    const item = event.button === 0 && event.pointerType === "mouse" ? itemOf(event) : null;
    if (item !== null) prefetch(item, "pressed");
  });
}
