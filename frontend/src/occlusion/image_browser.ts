import { toBlob } from "../kernel/buffers.ts";
import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import type { EncodedImage } from "../kernel/wire.ts";
import { focusedElement, h, screenReaderText, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { moveFocusInGrid } from "../ui/grid_navigation.ts";

const BATCH = 24; // images
const THUMBNAIL_SIDE = 96; // pixels
const TYPING_DELAY = 250; // ms
const MARGIN = 200; // CSS pixels below the visible area in which thumbnails are loaded

/** An image of the browser; its thumbnail is a buffer of the reply. */
interface ImageInfo {
  image: string;
  caption: string;
  label: string | null;
  thumbnail: EncodedImage;
}

/** The kernel's reply to `images`. */
interface ImagesReply {
  total: number;
  images: ImageInfo[];
}

/** Thumbnails of the available images, with a search field. More are loaded on scrolling. */
export class ImageBrowser {
  readonly element: HTMLElement;
  readonly search: HTMLInputElement;
  readonly error = h("p", { class: "dwx-error", role: "alert", hidden: true, "data-testid": "images-error" });
  private readonly count = h("span", { class: "dwo-dim", role: "status", "data-testid": "image-count" });
  private readonly list = h("div", { class: "dwo-thumbnails", role: "listbox", "aria-label": "Images", "data-testid": "images" });
  private readonly end = h("div", { class: "dwo-list-end" });
  private readonly scrollContainer = h("div", { class: "dwo-thumbnail-container" }, this.list, this.end);
  private readonly observer: IntersectionObserver;
  private query = "";
  private total: number | null = null;
  private loading = false;
  private selectedImage = "";
  private urls: string[] = [];

  /** @param tools controls beside the search field */
  constructor(
    private readonly client: KernelClient,
    private readonly pick: (image: string) => void,
    ...tools: Node[]
  ) {
    const properties = {
      type: "search",
      class: "dwx-search",
      placeholder: "search…",
      title: "Search by name or class",
      "data-testid": "image-search",
    };
    this.search = h("input", { ...properties, "aria-label": "Search images by name or class" });
    const row = h("div", { class: "dwo-row" }, this.search, this.count, h("span", { class: "dwo-spacer" }), ...tools);
    this.element = h("div", { class: "dwo-images" }, row, this.error, this.scrollContainer);
    let typing: ReturnType<typeof setTimeout> | undefined;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => void this.restart(), TYPING_DELAY);
    });
    this.list.addEventListener("keydown", (event) => moveFocusInGrid(event, this.thumbnails));
    const onIntersection = (entries: IntersectionObserverEntry[]) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) void this.loadMore();
    };
    this.observer = new IntersectionObserver(onIntersection, { root: this.scrollContainer, rootMargin: `${MARGIN}px` });
    this.observer.observe(this.end);
  }

  close(): void {
    this.observer.disconnect();
    this.client.release(this);
    this.release();
  }

  /** Load the first images if none are loaded. */
  open(): void {
    if (this.total === null && !this.loading) void this.restart();
  }

  /** Reload the images when the browser is opened next. */
  invalidate(): void {
    this.total = null;
  }

  /** Mark the selected image. */
  select(image: string): void {
    this.selectedImage = image;
    const { thumbnails } = this;
    const focused = focusedElement(this.list);
    const tabStop = Math.max(
      0,
      thumbnails.findIndex(({ dataset }) => dataset.image === image),
    );
    for (const [index, element] of thumbnails.entries()) {
      element.setAttribute("aria-selected", String(element.dataset.image === image));
      if (!this.list.contains(focused)) element.tabIndex = index === tabStop ? 0 : -1;
    }
  }

  private get thumbnails(): HTMLElement[] {
    return [...this.list.children].filter((child) => child instanceof HTMLElement);
  }

  private release(): void {
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
  }

  private async restart(): Promise<void> {
    this.query = this.search.value.trim();
    this.total = null;
    this.loading = false;
    this.release();
    this.list.replaceChildren();
    await this.loadMore();
  }

  private async loadMore(): Promise<void> {
    const start = this.list.childElementCount;
    if (this.loading || (this.total !== null && start >= this.total) || !this.element.checkVisibility()) return;
    this.loading = true;
    const { query } = this;
    try {
      const fields = { start, count: BATCH, query, size: THUMBNAIL_SIDE };
      const reply = await this.client.request<ImagesReply>("images", fields, { owner: this, lane: "background" });
      if (!reply || query !== this.query) return;
      const { total, images } = reply.content;
      this.total = total;
      this.list.append(...images.map((image, index) => this.createThumbnail(image, reply.buffers[index])));
      setText(this.count, total ? formatCount(total, "image") : query ? `no image matches “${query}”` : "no images");
      this.showError("");
      this.select(this.selectedImage);
    } catch (error) {
      this.showError(errorMessage(error));
      return;
    } finally {
      if (query === this.query) this.loading = false;
    }
    // The end may still be visible, and the observer reports changes only.
    if (this.end.getBoundingClientRect().top < this.scrollContainer.getBoundingClientRect().bottom + MARGIN) void this.loadMore();
  }

  private showError(message: string): void {
    this.error.hidden = !message;
    setText(this.error, message);
  }

  private createThumbnail({ image, caption, label, thumbnail }: ImageInfo, data: DataView | undefined): HTMLElement {
    const url = URL.createObjectURL(toBlob(data, thumbnail.mime));
    this.urls.push(url);
    const title = label ? `${caption} (${label})` : caption;
    const properties = { type: "button", role: "option", class: "dwo-thumbnail", title, "data-image": image };
    const onclick = () => this.pick(image);
    const element = h("img", { src: url, alt: "", draggable: "false" });
    return h(
      "button",
      { ...properties, tabindex: -1, "data-testid": "image", onclick },
      element,
      h("span", {}, label ?? caption),
      screenReaderText(label ? `, ${caption}` : ""),
    );
  }
}
