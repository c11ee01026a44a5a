/**
 * Restore the scroll positions in a widget when it is visible again: an element that is not displayed loses them, such as in an output
 * that is collapsed, or in a cell that is out of sight in a notebook with many. Return a function that ends this.
 */
export function keepScrollPositions(root: HTMLElement): () => void {
  const positions = new Map<Element, { top: number; left: number }>();
  let hidden = false;
  const onScroll = ({ target }: Event) => {
    if (!hidden && target instanceof Element && target.clientHeight) {
      positions.set(target, { top: target.scrollTop, left: target.scrollLeft });
    }
  };
  const observer = new ResizeObserver(() => {
    const wasHidden = hidden;
    hidden = root.offsetHeight === 0;
    if (hidden || !wasHidden) return;
    for (const [element, { top, left }] of positions) {
      if (root.contains(element)) element.scrollTo({ top, left, behavior: "instant" });
      else positions.delete(element);
    }
  });
  root.addEventListener("scroll", onScroll, { capture: true, passive: true }); // scroll events do not bubble
  observer.observe(root);
  return () => {
    root.removeEventListener("scroll", onScroll, { capture: true });
    observer.disconnect();
  };
}
