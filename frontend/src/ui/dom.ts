/** Functions to create and update DOM elements. */

/** Attributes by name ("class", "data-…", "aria-…"), and event listeners as "on…". Null, undefined and false are omitted. */
export type Properties = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** Create an element with properties and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: (Node | string | null | undefined)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set the text of an element if it differs: screen readers would announce an unchanged live region again. */
export function setText(element: Element, text: string): void {
  if (element.textContent === text) return;
  const onlyChild = element.childNodes.length === 1 ? element.firstChild : null;
  if (onlyChild instanceof Text && text) onlyChild.data = text;
  else element.textContent = text;
}

/** Return the size in device pixels of a canvas that fills an element, and the number of device pixels per CSS pixel. */
export function devicePixels(element: Element): [width: number, height: number, ratio: number] {
  const { clientWidth, clientHeight } = element;
  const { currentCSSZoom = 1 } = element as { currentCSSZoom?: number }; // of the presentation
  const ratio = (globalThis.devicePixelRatio || 1) * currentCSSZoom;
  return [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio), ratio];
}

/** Return the 2D context of a canvas. */
export function context2d(canvas: HTMLCanvasElement, settings?: CanvasRenderingContext2DSettings): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/** Return the element that has the focus, in the document or shadow root of `element`. */
export function focusedElement(element: Element): Element | null {
  return (element.getRootNode() as Document | ShadowRoot).activeElement;
}

/** Create a labelled select element. Choices are [name, label]. */
export function createSelect<Name extends string>({
  label,
  testid,
  choices,
  pick,
  hint,
}: {
  label: string;
  testid: string;
  choices: readonly (readonly [name: Name, label: string])[];
  pick: (name: Name) => void;
  hint?: string;
}) {
  const options = choices.map(([name, text]) => h("option", { value: name }, text));
  const select = h("select", { "data-testid": testid, class: "dwx-select", title: hint }, ...options);
  select.addEventListener("change", () => pick(select.value as Name));
  const element = h("label", { class: "dwx-choice" }, `${label} `, select);
  return { element, select };
}

const HIDDEN_PAGE_DELAY = 120; // ms; a hidden page renders no frames

/** Resolve after the next frame has been displayed. */
export function nextFrameDisplayed(): Promise<void> {
  return new Promise((resolve) => {
    const hidden = setTimeout(resolve, HIDDEN_PAGE_DELAY);
    const shown = () => {
      clearTimeout(hidden);
      resolve();
    };
    // A timer would run after the other tasks of the notebook.
    requestAnimationFrame(() => {
      const { scheduler } = globalThis as { scheduler?: { postTask(task: () => void, options: { priority: string }): unknown } };
      if (scheduler) scheduler.postTask(shown, { priority: "user-blocking" });
      else setTimeout(shown, 0);
    });
  });
}

/** Create text for screen readers only. */
export function screenReaderText(text: string): HTMLElement {
  return h("span", { class: "dwx-screen-reader" }, text);
}

/** Return the nearest ancestor in the widget that scrolls by itself; null if only the page does. */
export function scrollingPane(element: HTMLElement): HTMLElement | null {
  for (let pane = element.parentElement; pane && !pane.classList.contains("dwx"); pane = pane.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(pane).overflowY)) return pane;
  }
  return null;
}

/** Return the width of an element's content in CSS pixels, without its padding. */
export function contentWidth(element: HTMLElement): number {
  const style = getComputedStyle(element);
  return element.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
}
