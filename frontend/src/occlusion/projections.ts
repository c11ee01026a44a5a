import { blob } from "../kernel/buffers.ts";
import { h, setText } from "../ui/dom.ts";
import { number } from "../ui/format.ts";
import type { Projection } from "./wire.ts";

const PLACES = 4; // this image, and the three strongest others

/**
 * A projection and what it saw.
 * @param properties of both pictures
 */
function createPair(properties: Properties = {}) {
  const pictures = ["projection", "patch"].map((kind) =>
    h("img", { class: "dwo-picture", alt: "", "data-kind": kind, draggable: "false", ...properties }),
  );
  return { pictures, tiles: pictures.map((picture) => h("div", { class: "dwo-tile" }, picture)) };
}

/** One place of the panel, large, over the page: a click beside it or Escape closes it. */
function createCloseLook() {
  const { pictures, tiles } = createPair();
  const caption = h("figcaption", {});
  const figure = h("figure", {}, ...tiles, caption);
  const away = h("button", { type: "button", class: "dwo-plain", "data-testid": "close-look-close" }, "Close");
  const element = h(
    "dialog",
    { class: "dwo-close-look", "aria-label": "Projection and what it saw", "data-testid": "close-look" },
    figure,
    away,
  );
  const close = () => element.close();
  element.addEventListener("click", close);

  /** @param shown its pictures, small */
  const open = (shown: HTMLImageElement[], words: string) => {
    pictures.forEach((picture, part) => Object.assign(picture, { src: shown[part].src, alt: shown[part].alt }));
    setText(caption, words);
    element.showModal();
  };
  return { element, open, close };
}

/** What excites the map, projected to pixels: here and in the strongest other photographs, each above what it saw there. */
export function createProjections() {
  const words = h("p", { class: "dwo-dim", "data-testid": "projection-words" });
  const look = createCloseLook();
  const places = Array.from({ length: PLACES }, () => {
    const { pictures, tiles } = createPair({ hidden: true });
    const caption = h("figcaption", {});
    const enlarge = h(
      "button",
      { type: "button", class: "dwo-enlarge", title: "Look closely", onclick: () => look.open(pictures, caption.title) },
      ...tiles,
    );
    const element = h("figure", { class: "dwo-projection", "data-testid": "projection" }, enlarge, caption);
    return { element, pictures, caption };
  });
  const row = h("div", { class: "dwo-projections" }, ...places.map(({ element }) => element));
  const title = h("b", {}, "What excites it");
  const caption = h("div", { class: "dwo-cap" }, title, h("span", {}, "in pixels, above what it saw"));
  const element = h("section", { class: "dwo-part", "aria-label": "Projections" }, caption, row, words, look.element);
  let addresses: string[] = [];

  const forget = () => {
    for (const address of addresses) URL.revokeObjectURL(address);
    addresses = [];
  };

  /**
   * @param buffers two for each entry
   * @param ready whether the index stands
   */
  const show = (entries: Projection[], buffers: DataView[], ready: boolean) => {
    forget();
    look.close(); // it is of another map, or image
    places.forEach(({ element: place, pictures, caption: under }, at) => {
      const entry = entries[at];
      place.dataset.filled = String(Boolean(entry));
      pictures.forEach((picture, part) => {
        picture.hidden = !entry;
        if (!entry) return;
        const address = URL.createObjectURL(blob(buffers[2 * at + part], entry.pictures[part].mime));
        addresses.push(address);
        picture.src = address;
        picture.alt = `${part ? "What it saw" : "Projection"}: ${entry.caption}`;
      });
      setText(under, entry ? (entry.own ? "this image" : entry.caption) : "");
      under.title = entry ? `${entry.caption}: ${number(entry.value)}` : "";
    });
    element.dataset.stale = "false";
    if (!entries.length) tell("This map fires nowhere in this image.");
    else
      tell(
        entries.length === PLACES ? "" : ready ? "No other photograph excites it." : "Three other photographs come when the index stands.",
      );
  };
  const tell = (text: string) => {
    words.hidden = !text;
    setText(words, text);
  };
  /** Why there are none. */
  const refuse = (reason: string) => {
    show([], [], true);
    tell(reason);
  };
  const wait = () => {
    element.dataset.stale = "true";
  };
  return { element, show, refuse, wait, close: forget };
}
