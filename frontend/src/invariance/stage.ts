/** The transformed photograph; while the button is pressed, the photograph as it is. */
import { context2d, h, setText } from "../ui/dom.ts";
import type { View } from "./store.ts";

export function createStage() {
  const canvas = h("canvas", { class: "dwi-picture", role: "img", "data-testid": "picture" });
  const caption = h("span", { class: "dwi-caption" });
  const compare = h("button", { type: "button", class: "dwx-menu-button", "data-testid": "compare", "aria-pressed": "false" }, "As it is");
  compare.title = "Show the photograph as it is while this button is pressed";
  const note = h("p", { class: "dwi-note", "data-testid": "note" });
  const element = h("div", { class: "dwi-stage" }, canvas, h("div", { class: "dwi-stage-line" }, caption, compare), note);
  let view: View | null = null;
  let original = false;
  let description = "";

  const draw = () => {
    if (!view) return;
    const bitmap = original ? view.original : view.picture;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    context2d(canvas).drawImage(bitmap, 0, 0);
    canvas.setAttribute("aria-label", original ? `${view.caption} as it is` : `${view.caption}, ${description}`);
    compare.setAttribute("aria-pressed", String(original));
  };
  const show = (shown: boolean) => {
    original = shown;
    draw();
  };
  compare.addEventListener("pointerdown", () => show(true));
  for (const kind of ["pointerup", "pointercancel", "pointerleave", "blur"]) compare.addEventListener(kind, () => show(false));
  compare.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    show(true);
  });
  compare.addEventListener("keyup", () => show(false));

  /** @param fill what is shown where the photograph has no content */
  const update = (newView: View, newDescription: string, fill: string) => {
    description = newDescription;
    setText(caption, newView.caption);
    caption.title = newView.caption;
    setText(note, newView.note);
    note.hidden = !newView.note;
    canvas.title = `Transformed before the crop; places without content are ${fill}.`;
    if (newView === view) return;
    view = newView;
    draw();
  };
  return { element, update };
}
