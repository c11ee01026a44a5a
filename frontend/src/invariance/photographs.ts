/** The photographs with a curve: the colour of its line, a thumbnail, and the class. A click shows one; it can be removed. */

import type { Quantity } from "../kernel/wire.ts";
import { context2d, h, setText } from "../ui/dom.ts";
import { formatScore } from "../ui/quantity.ts";
import type { Curves, InvarianceStore } from "./store.ts";
import type { InvarianceState } from "./wire.ts";

interface Options {
  store: InvarianceStore;
  set: (patch: Partial<InvarianceState>) => void;
  add: () => void;
}

export function createPhotographs({ store, set, add }: Options) {
  const list = h("div", {
    class: "dwi-photographs",
    role: "group",
    "aria-label": "Photographs with a curve",
    "data-testid": "photographs",
  });
  const button = h(
    "button",
    { type: "button", class: "dwx-menu-button", "data-testid": "add-photographs", onclick: add },
    "Add photographs…",
  );
  const status = h("span", { class: "dwi-note", role: "status", "data-testid": "curves-status" });
  const element = h("div", { class: "dwi-strip" }, list, h("div", { class: "dwi-strip-tools" }, button, status));
  let rows: ReturnType<typeof createRow>[] = [];
  let shown = "";
  let state: InvarianceState | null = null;

  const remove = (image: string) => {
    if (!state || state.images.length < 2) return;
    const images = state.images.filter((other) => other !== image);
    set({ images, image: state.image === image ? (images[0] ?? image) : state.image });
  };

  const update = (
    newState: InvarianceState,
    curves: { value?: Curves | undefined; error?: string | undefined }[],
    quantity: Quantity | null,
  ) => {
    state = newState;
    const key = newState.images.join();
    if (key !== shown) {
      rows = newState.images.map((image, index) => createRow(image, index, { pick: () => set({ image }), remove: () => remove(image) }));
      list.replaceChildren(...rows.map((row) => row.element));
      shown = key;
    }
    rows.forEach((row, index) => {
      const image = newState.images[index] ?? "";
      row.update(image === newState.image, rows.length > 1, store.thumbnails.get(image), curves[index] ?? {}, quantity);
    });
    const done = curves.filter(({ value }) => value).length;
    const failed = curves.filter(({ error }) => error).length;
    setText(status, done + failed < curves.length ? `Computing curves: ${done} of ${curves.length}…` : "");
  };
  return { element, update };
}

function createRow(image: string, index: number, { pick, remove }: { pick: () => void; remove: () => void }) {
  const canvas = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  const name = h("b", {}, image);
  const target = h("span", { class: "dwi-target" });
  const key = h("i", { class: `dwi-key dwi-line-${index % 12}` });
  const properties = { type: "button", class: "dwi-photograph", "data-testid": "photograph", "data-image": image };
  const main = h("button", { ...properties, onclick: pick }, key, canvas, h("span", { class: "dwi-names" }, name, target));
  const cross = h("button", { type: "button", class: "dwi-remove", "data-testid": "remove", onclick: remove }, "×");
  const element = h("div", { class: "dwi-photograph-row" }, main, cross);
  let drawn: ImageData | null = null;

  const update = (
    chosen: boolean,
    removable: boolean,
    known: { thumbnail: ImageData; name: string } | undefined,
    { value, error }: { value?: Curves | undefined; error?: string | undefined },
    quantity: Quantity | null,
  ) => {
    main.setAttribute("aria-pressed", String(chosen));
    cross.hidden = !removable;
    if (known) setText(name, known.name);
    cross.setAttribute("aria-label", `Remove ${known?.name ?? image}`);
    cross.title = "Remove it from the curves";
    const from = value?.labelled || quantity?.kind === "value" ? "" : " (predicted)";
    const score = value?.unchanged === null || !value ? "" : `, ${formatScore(quantity, value.unchanged)}`;
    setText(target, error ?? (value ? (value.target ? `${value.target}${from}${score}` : "") : "computing…"));
    target.classList.toggle("dwx-error", Boolean(error));
    main.title = [known?.name ?? image, target.textContent].filter(Boolean).join(": ");
    if (known && known.thumbnail !== drawn) {
      drawn = known.thumbnail;
      [canvas.width, canvas.height] = [drawn.width, drawn.height];
      context2d(canvas).putImageData(drawn, 0, 0);
    }
  };
  return { element, update };
}
