import { h, setText } from "./dom.js";
import { counted } from "./format.js";
import { errorWords } from "./view.js";

const IMAGES_AT_ONCE = 24;
const THUMBNAIL = 96; // pixels
const TYPED_AFTER = 250; // ms

/** The pictures that can be looked at: uploads first, then the image set's, more as one scrolls. */
export class ImageBrowser {
  /**
   * @param {object} options
   * @param {import("./asking_wire.js").AskingWire} options.wire
   * @param {(image: string) => void} options.pick
   * @param {...Node} parts what stands beside the search
   */
  constructor({ wire, pick }, ...parts) {
    this.wire = wire;
    this.pick = pick;
    this.asked = ""; // the words that the list is of
    this.total = /** @type {number | null} */ (null);
    this.busy = false;
    this.current = "";
    /** @type {string[]} */
    this.addresses = [];
    this.search = /** @type {HTMLInputElement} */ (h("input", { type: "search", class: "dwx-search dwo-search", placeholder: "search…", title: "By name or class", "aria-label": "Images by name or class", "data-testid": "image-search" }));
    let typing = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = window.setTimeout(() => void this.begin(), TYPED_AFTER);
    });
    this.count = h("span", { class: "dwo-dim", "data-testid": "image-count" });
    this.list = h("div", { class: "dwo-thumbnails", role: "listbox", "aria-label": "Images", "data-testid": "images" });
    this.end = h("div", { class: "dwo-end" });
    this.trouble = h("p", { class: "dwx-error", hidden: true, "data-testid": "images-error" });
    this.room = h("div", { class: "dwo-thumbnail-room" }, this.list, this.end);
    this.element = h("div", { class: "dwo-images" }, h("div", { class: "dwo-row" }, this.search, this.count, h("span", { class: "dwo-space" }), ...parts), this.trouble, this.room);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.sight = new IntersectionObserver(([entry]) => entry.isIntersecting && void this.more(), { root: this.room, rootMargin: "200px" });
    this.sight.observe(this.end);
  }

  close() {
    this.sight.disconnect();
    this.forget();
  }

  forget() {
    for (const address of this.addresses) URL.revokeObjectURL(address);
    this.addresses = [];
  }

  /** From the first, of the words that are looked for now. */
  async begin() {
    this.asked = this.search.value.trim();
    this.total = null;
    this.busy = false;
    this.forget();
    this.list.replaceChildren();
    await this.more();
  }

  /** Once it is shown for the first time. */
  ready() {
    if (this.total === null && !this.busy) void this.begin();
  }

  /** The next of them. */
  async more() {
    const start = this.list.childElementCount;
    if (this.busy || (this.total !== null && start >= this.total) || !this.element.checkVisibility()) return;
    this.busy = true;
    const { asked } = this;
    try {
      const answer = await this.wire.ask("images", { start, count: IMAGES_AT_ONCE, words: asked, size: THUMBNAIL });
      if (!answer) return;
      const { total, tiles } = answer.content;
      this.total = total;
      this.list.append(...tiles.map((/** @type {any} */ tile, /** @type {number} */ at) => this.tile(tile, answer.buffers[at])));
      setText(this.count, total ? counted(total, "image") : asked ? `none has “${asked}”` : "there are none");
      this.complain("");
      this.mark(this.current);
    } catch (error) {
      this.complain(errorWords(error));
      return;
    } finally {
      if (asked === this.asked) this.busy = false;
    }
    // The end may still be in sight, and the observer tells only of changes.
    if (this.end.getBoundingClientRect().top < this.room.getBoundingClientRect().bottom + 200) void this.more();
  }

  /** @param {string} words */
  complain(words) {
    this.trouble.hidden = !words;
    setText(this.trouble, words);
  }

  /** @param {any} tile @param {DataView} data */
  tile({ image, caption, label, picture, mime = picture?.mime }, data) {
    const address = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (data)], { type: mime }));
    this.addresses.push(address);
    const words = label ? `${caption} (${label})` : caption;
    const face = h("img", { src: address, alt: "", draggable: "false" });
    const button = h("button", { type: "button", role: "option", class: "dwo-thumbnail", title: words, "data-testid": "image", "data-image": image, "aria-label": words }, face, h("span", {}, label ?? caption));
    button.addEventListener("click", () => this.pick(image));
    return button;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const tiles = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const at = tiles.indexOf(/** @type {HTMLElement} */ (event.target));
    const columns = Math.max(1, tiles.filter(({ offsetTop }) => offsetTop === tiles[0].offsetTop).length);
    const step = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns })[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    event.stopPropagation();
    tiles[Math.min(tiles.length - 1, Math.max(0, at + step))].focus();
  }

  /** Which one is shown. @param {string} image */
  mark(image) {
    this.current = image;
    for (const tile of /** @type {HTMLElement[]} */ ([...this.list.children])) tile.setAttribute("aria-selected", String(tile.dataset.image === image));
  }
}
