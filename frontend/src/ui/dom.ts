/** Elements without a framework. */

/** Attributes by name ("class", "data-…", "aria-…"), and listeners as "on…". Null, undefined and false leave an attribute out. */
export type Properties = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** Return an element with these properties and children. */
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

/** Set an element's text where it differs: an unchanged live region must not be announced again. */
export function setText(element: Element, text: string): void {
  if (element.textContent === text) return;
  const only = element.childNodes.length === 1 ? element.firstChild : null;
  if (only instanceof Text && text) only.data = text;
  else element.textContent = text;
}

/** Return the width and height in device pixels of a canvas that fills an element, and the device pixels per CSS pixel. */
export function devicePixels({ clientWidth, clientHeight }: Element): [width: number, height: number, ratio: number] {
  const ratio = globalThis.devicePixelRatio || 1;
  return [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio), ratio];
}

/** Return a canvas's 2D context. */
export function context2d(canvas: HTMLCanvasElement, settings?: CanvasRenderingContext2DSettings): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/** Return the element that has the focus, in the document or shadow root of `element`. */
export function focusedElement(element: Element): Element | null {
  return (element.getRootNode() as Document | ShadowRoot).activeElement;
}

/** A labelled select. Choices are [name, label]. */
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
  const options = choices.map(([name, words]) => h("option", { value: name }, words));
  const select = h("select", { "data-testid": testid, class: "dwx-select", title: hint }, ...options);
  select.addEventListener("change", () => pick(select.value as Name));
  const element = h("label", { class: "dwx-choice" }, `${label} `, select);
  return { element, select };
}

const HIDDEN_PAGE_WAIT = 120; // ms; a page in the background draws no frames

/** Resolve when what was drawn is on the screen. */
export function nextFrameShown(): Promise<void> {
  return new Promise((resolve) => {
    const hidden = setTimeout(resolve, HIDDEN_PAGE_WAIT);
    const shown = () => {
      clearTimeout(hidden);
      resolve();
    };
    // With priority: a timer would first wait for whatever else the notebook has to do.
    requestAnimationFrame(() => {
      const { scheduler } = globalThis as { scheduler?: { postTask(task: () => void, options: { priority: string }): unknown } };
      if (scheduler) scheduler.postTask(shown, { priority: "user-blocking" });
      else setTimeout(shown, 0);
    });
  });
}

/** Text for screen readers alone. */
export function spoken(words: string): HTMLElement {
  return h("span", { class: "dwx-spoken" }, words);
}
