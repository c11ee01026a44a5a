import { blob } from "../kernel/buffers.ts";
import { h, setText } from "./dom.ts";
import { counted } from "./format.ts";
import { errorWords } from "./explorer_view.ts";
import type { AskingWire } from "../kernel/client.ts";
import type { PictureInfo } from "../kernel/wire.ts";

const IMAGES_AT_ONCE = 24;
const THUMBNAIL = 96; // pixels
const TYPED_AFTER = 250; // ms

/** A picture that can be chosen; its thumbnail comes as a buffer. */
export interface ImageTile {
  image: string;
  caption: string;
  label: string | null;
  picture: PictureInfo;
}

interface ImagesReply {
  total: number;
  tiles: ImageTile[];
}

/** The pictures that can be looked at: uploads first, then the image set's, more as one scrolls. */
export class ImageBrowser {
  wire: AskingWire;
  pick: (image: string) => void;
  asked: string;
  total: number | null;
  busy: boolean;
  current: string;
  addresses: string[];
  search: HTMLInputElement;
  count: HTMLElement;
  list: HTMLElement;
  end: HTMLElement;
  trouble: HTMLElement;
  room: HTMLElement;
  element: HTMLElement;
  sight: IntersectionObserver;

  /** @param parts what stands beside the search */
  constructor(
    {
      wire,
      pick,
    }: {
      wire: AskingWire;
      pick: (image: string) => void;
    },
    ...parts: Node[]
  ) {
    this.wire = wire;
    this.pick = pick;
    this.asked = ""; // the words that the list is of
    this.total = null;
    this.busy = false;
    this.current = "";
    this.addresses = [];
    this.search = h("input", {
      type: "search",
      class: "dwx-search dwo-search",
      placeholder: "search…",
      title: "By name or class",
      "aria-label": "Images by name or class",
      "data-testid": "image-search",
    });
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
    this.element = h(
      "div",
      { class: "dwo-images" },
      h("div", { class: "dwo-row" }, this.search, this.count, h("span", { class: "dwo-space" }), ...parts),
      this.trouble,
      this.room,
    );
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.sight = new IntersectionObserver(([entry]) => void (entry?.isIntersecting && this.more()), {
      root: this.room,
      rootMargin: "200px",
    });
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
      const answer = await this.wire.ask<ImagesReply>("images", { start, count: IMAGES_AT_ONCE, words: asked, size: THUMBNAIL });
      if (!answer) return;
      const { total, tiles } = answer.content;
      this.total = total;
      this.list.append(...tiles.map((tile, at) => this.tile(tile, answer.buffers[at])));
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

  complain(words: string) {
    this.trouble.hidden = !words;
    setText(this.trouble, words);
  }

  tile({ image, caption, label, picture }: ImageTile, data: DataView | undefined) {
    const address = URL.createObjectURL(blob(data, picture.mime));
    this.addresses.push(address);
    const words = label ? `${caption} (${label})` : caption;
    const face = h("img", { src: address, alt: "", draggable: "false" });
    const button = h(
      "button",
      {
        type: "button",
        role: "option",
        class: "dwo-thumbnail",
        title: words,
        "data-testid": "image",
        "data-image": image,
        "aria-label": words,
      },
      face,
      h("span", {}, label ?? caption),
    );
    button.addEventListener("click", () => this.pick(image));
    return button;
  }

  key(event: KeyboardEvent) {
    const tiles: HTMLElement[] = [...this.list.children] as HTMLElement[];
    const at = tiles.indexOf(event.target as HTMLElement);
    const columns = Math.max(1, tiles.filter(({ offsetTop }) => offsetTop === tiles[0]?.offsetTop).length);
    const step = ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns } as Record<string, number>)[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    event.stopPropagation();
    tiles[Math.min(tiles.length - 1, Math.max(0, at + step))]?.focus();
  }

  /** Which one is shown. */
  mark(image: string) {
    this.current = image;
    for (const tile of [...this.list.children] as HTMLElement[]) tile.setAttribute("aria-selected", String(tile.dataset.image === image));
  }
}
