import { h, setText } from "./dom.js";
import { number } from "./format.js";

const PLACES = 4; // this image, and the three strongest others

/** What excites the map, projected to pixels: here and in the strongest other photographs, each above what it saw there. */
export function createProjections() {
  const words = h("p", { class: "dwo-dim", "data-testid": "projection-words" });
  const places = Array.from({ length: PLACES }, () => {
    const pictures = ["projection", "patch"].map((kind) => /** @type {HTMLImageElement} */ (h("img", { class: "dwo-picture", alt: "", "data-kind": kind, draggable: "false", hidden: true })));
    const caption = h("figcaption", {});
    const element = h("figure", { class: "dwo-projection", "data-testid": "projection" }, ...pictures.map((picture) => h("div", { class: "dwo-tile" }, picture)), caption);
    return { element, pictures, caption };
  });
  const row = h("div", { class: "dwo-projections" }, ...places.map(({ element }) => element));
  const title = h("b", {}, "What excites it");
  const caption = h("div", { class: "dwo-cap" }, title, h("span", {}, "projected to pixels, above what it saw"));
  const element = h("section", { class: "dwo-part", "aria-label": "Projections" }, caption, row, words);
  /** @type {string[]} */
  let addresses = [];

  const forget = () => {
    for (const address of addresses) URL.revokeObjectURL(address);
    addresses = [];
  };

  /** @param {any[]} entries @param {DataView[]} buffers two for each entry @param {boolean} ready whether the index stands */
  const show = (entries, buffers, ready) => {
    forget();
    places.forEach(({ element: place, pictures, caption: under }, at) => {
      const entry = entries[at];
      place.dataset.filled = String(Boolean(entry));
      pictures.forEach((picture, part) => {
        picture.hidden = !entry;
        if (!entry) return;
        const address = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (buffers[2 * at + part])], { type: entry.pictures[part].mime }));
        addresses.push(address);
        picture.src = address;
        picture.alt = `${part ? "What it saw" : "Projection"}: ${entry.caption}`;
      });
      setText(under, entry ? (entry.own ? "this image" : entry.caption) : "");
      under.title = entry ? `${entry.caption}: ${number(entry.value)}` : "";
    });
    element.dataset.stale = "false";
    if (!entries.length) tell("This map fires nowhere in this image.");
    else tell(entries.length === PLACES ? "" : ready ? "No other photograph excites it." : "Three other photographs come when the index stands.");
  };
  /** @param {string} text */
  const tell = (text) => {
    words.hidden = !text;
    setText(words, text);
  };
  /** Why there are none. @param {string} reason */
  const refuse = (reason) => {
    show([], [], true);
    tell(reason);
  };
  const wait = () => {
    element.dataset.stale = "true";
  };
  return { element, show, refuse, wait, close: forget };
}
