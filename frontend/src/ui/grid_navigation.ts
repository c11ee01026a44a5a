/**
 * Return the index that a key moves to in a grid of `count` cells, or null if it is not a navigation key.
 * @param page the number of visible rows
 */
export function nextInGrid(key: string, index: number, columns: number, count: number, page = 1): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * page,
    PageDown: columns * page,
  };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = steps[key];
  if (step === undefined) return null;
  const next = index + step;
  if (next >= 0 && next < count) return next;
  if (Math.abs(step) === 1) return index;
  const row = Math.floor(index / columns);
  if (step < 0) return key === "PageUp" ? index % columns : index;
  return row < Math.floor((count - 1) / columns) ? count - 1 : index;
}

/** Return the number of columns of elements in a wrapping layout. */
export function countColumns(elements: readonly HTMLElement[]): number {
  const top = elements[0]?.offsetTop;
  return Math.max(1, elements.filter((element) => element.offsetTop === top).length);
}

/** Move the focus, with a roving tabindex, among elements in a wrapping layout. Return whether the key was handled. */
export function moveFocusInGrid(event: KeyboardEvent, elements: readonly HTMLElement[]): boolean {
  const index = elements.indexOf(event.target as HTMLElement);
  const next = index < 0 ? null : nextInGrid(event.key, index, countColumns(elements), elements.length);
  if (next === null) return false;
  event.preventDefault();
  event.stopPropagation();
  const [from, to] = [elements[index], elements[next]];
  if (from) from.tabIndex = -1;
  if (to) {
    to.tabIndex = 0;
    to.focus();
  }
  return true;
}
