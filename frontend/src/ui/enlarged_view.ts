/** A dialog with one strong activation, enlarged: projection, patch, both overlaid, and the photograph with the feature map over it. */
import { context2d, h, setText } from "./dom.ts";
import { nextInGrid } from "./grid_navigation.ts";
import { isNotebookShortcut } from "./keyboard.ts";
import { createMapOverlay, type FeatureMap, type MappedPhotograph } from "./map_overlay.ts";
import { createSlider } from "./slider.ts";

/** A picture, or a part of one. */
export interface Picture {
  image: CanvasImageSource;
  left?: number;
  top?: number;
  width: number;
  height: number;
}

export interface Enlarged {
  title: string;
  /** The label and the predicted class. */
  caption: string;
  /** Of the activations that the arrow keys visit. */
  index: number;
  count: number;
  projectionTitle: string;
  /** Why there is no projection; empty if there is one. */
  rejectionReason: string;
  /** Undefined until they are loaded: the previous ones are shown, dimmed. */
  projection: Picture | undefined;
  patch: Picture | undefined;
  /** Whether the pictures are those of the full size. */
  sharp: boolean;
  /** Null: there is no photograph with a feature map. */
  photograph: { source: MappedPhotograph | undefined; map: FeatureMap | undefined; name: string } | null;
  error: string;
}

function drawPicture(canvas: HTMLCanvasElement, { image, left = 0, top = 0, width, height }: Picture): void {
  Object.assign(canvas, { width, height });
  context2d(canvas).drawImage(image, left, top, width, height, 0, 0, width, height);
}

/** Create a captioned part of the view. */
function createPart(title: Node, content: Node, ...rest: Node[]): HTMLElement {
  return h(
    "figure",
    { class: "dwx-enlarged-part" },
    h("figcaption", {}, title),
    h("div", { class: "dwx-enlarged-picture" }, content),
    ...rest,
  );
}

/** Create the part in which the projection lies over the patch, with a slider for its opacity. */
function createOverlay(testid: string) {
  const [patch, projection] = [h("canvas", {}), h("canvas", { class: "dwx-enlarged-above" })];
  const set = (value: number) => {
    projection.style.opacity = String(value);
    slider.show(value, `${Math.round(100 * value)}%`);
  };
  const slider = createSlider({ label: "Opacity of the projection", testid: `${testid}-opacity`, min: 0, max: 1, step: 0.05, input: set });
  set(0.5);
  const labels = h("div", { class: "dwx-enlarged-slider" }, "patch", slider.element, "projection");
  const stack = h("div", { class: "dwx-enlarged-stack", role: "img", "aria-label": "Projection over patch" }, patch, projection);
  const element = createPart(h("span", {}, "Overlay"), stack, labels);
  return { element, patch, projection };
}

/** Create the part with the photograph and the feature map over it. */
function createMapPart(testid: string) {
  const overlay = createMapOverlay(testid);
  const set = (value: number) => {
    overlay.setOpacity(value);
    slider.show(value, `${Math.round(100 * value)}%`);
  };
  const slider = createSlider({ label: "Opacity of the map", testid: `${testid}-map-opacity`, min: 0, max: 1, step: 0.05, input: set });
  set(0.6);
  const title = h("span", {}, "Photograph with the unit's feature map");
  const labels = h("div", { class: "dwx-enlarged-slider" }, "photograph", slider.element, "map");
  const notes = h("div", { class: "dwx-enlarged-notes" }, overlay.legend, overlay.reading);
  return { element: createPart(title, overlay.frame, labels, overlay.scale, notes), update: overlay.update };
}

/**
 * Create the dialog. Arrow keys and buttons visit the activations, Escape and a click beside it close it.
 *
 * @param id the id of the widget, unique in the page
 * @param columns of the tiles, for the keys up and down
 * @param move called with the index of another activation
 * @param closed called after it was closed, to return the focus
 * @param actions elements before the buttons that visit other activations
 */
export function createEnlargedView({
  id,
  testid = "enlarged",
  columns,
  move,
  closed = () => {},
  actions = [],
}: {
  id: string;
  testid?: string;
  columns: number;
  move: (index: number) => void;
  closed?: () => void;
  actions?: HTMLElement[];
}) {
  let content: Enlarged | null = null;
  let drawn: (Picture | undefined)[] = [];
  const go = (key: string) => {
    const next = content && nextInGrid(key, content.index, columns, content.count);
    if (content && next !== null && next !== content.index) move(next);
  };
  const button = (name: string, text: string, hint: string, onclick: () => void) =>
    h(
      "button",
      { type: "button", class: "dwx-menu-button", title: hint, "aria-label": hint, "data-testid": `${testid}-${name}`, onclick },
      text,
    );
  const title = h("h3", { id: `${id}-${testid}-title`, "data-testid": `${testid}-title` });
  const caption = h("p", { class: "dwx-enlarged-caption", "data-testid": `${testid}-caption` });
  const previous = button("previous", "‹", "Previous (←)", () => go("ArrowLeft"));
  const next = button("next", "›", "Next (→)", () => go("ArrowRight"));
  const close = button("close", "Close", "Close (Esc)", () => element.close());
  const error = h("p", { class: "dwx-error", role: "alert", hidden: true });
  const projection = h("canvas", { role: "img", "aria-label": "Projection", "data-testid": `${testid}-projection` });
  const patch = h("canvas", { role: "img", "aria-label": "Patch", "data-testid": `${testid}-patch` });
  const reason = h("p", { class: "dwx-enlarged-reason", hidden: true });
  const projectionTitle = h("span", {});
  const overlay = createOverlay(testid);
  const map = createMapPart(testid);
  const parts = [
    createPart(projectionTitle, h("div", { class: "dwx-enlarged-stack" }, projection, reason)),
    createPart(h("span", {}, "Patch"), patch),
    overlay.element,
    map.element,
  ];
  const titles = h("div", { class: "dwx-enlarged-titles" }, title, caption);
  const head = h("div", { class: "dwx-enlarged-head" }, titles, ...actions, previous, next, close);
  const body = h("div", { class: "dwx-enlarged-body", tabindex: -1 }, head, error, h("div", { class: "dwx-enlarged-parts" }, ...parts));
  const element = h("dialog", { class: "dwx-enlarged", role: "dialog", "aria-labelledby": title.id, "data-testid": testid }, body);

  element.addEventListener("click", (event) => event.target === element && element.close());
  element.addEventListener("close", closed);
  element.addEventListener("keydown", (event) => {
    if (isNotebookShortcut(event)) return;
    event.stopPropagation(); // the keys of the widget behind it do not apply
    if (event.key === "Escape") {
      event.preventDefault();
      element.close();
    } else if (!(event.target instanceof HTMLInputElement) && nextInGrid(event.key, 0, columns, 1) !== null) {
      event.preventDefault();
      go(event.key);
    }
  });

  /** Draw a picture, or dim the previous one. */
  const draw = (canvases: HTMLCanvasElement[], picture: Picture | undefined, at: number) => {
    for (const canvas of canvases) canvas.dataset.ready = String(Boolean(picture));
    if (!picture || picture === drawn[at]) return;
    drawn[at] = picture;
    for (const canvas of canvases) drawPicture(canvas, picture);
  };

  const update = (enlarged: Enlarged) => {
    content = enlarged;
    const { index, count, rejectionReason, photograph } = enlarged;
    setText(title, enlarged.title);
    setText(caption, enlarged.caption);
    setText(projectionTitle, enlarged.projectionTitle);
    previous.disabled = index <= 0;
    next.disabled = index >= count - 1;
    error.hidden = !enlarged.error;
    setText(error, enlarged.error);
    element.dataset.sharp = String(enlarged.sharp);
    draw([projection, overlay.projection], enlarged.projection, 0);
    draw([patch, overlay.patch], enlarged.patch, 1);
    reason.hidden = !rejectionReason;
    setText(reason, rejectionReason);
    projection.hidden = Boolean(rejectionReason);
    overlay.element.hidden = Boolean(rejectionReason);
    map.element.hidden = photograph === null;
    if (photograph) map.update(photograph.source, photograph.map, photograph.name);
  };

  const open = (enlarged: Enlarged) => {
    drawn = [];
    update(enlarged);
    if (element.open) return;
    element.showModal();
    body.focus({ preventScroll: true });
  };
  return { element, open, update, close: () => element.close(), isOpen: () => element.open };
}
