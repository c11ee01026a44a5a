import type { KernelClient } from "../kernel/client.ts";
import { ImageBrowser } from "./image_browser.ts";
import { createUploadStatus, ImageUpload } from "./image_upload.ts";
import type { Stage } from "./stage.ts";
import type { OcclusionState } from "./wire.ts";

interface ImageChoiceOptions {
  client: KernelClient;
  /** Where an image can be dropped, beside the thumbnails. */
  stage: Stage;
  pick: (image: string) => void;
  /** @param others number of files that came with the image, and were ignored */
  uploaded: (image: string, name: string, others: number) => void;
}

/** Another image: one of the image set, or the user's own. */
export class ImageChoice {
  /** The thumbnails. */
  readonly element: HTMLElement;
  /** What an upload says where no thumbnails are shown. */
  readonly status: HTMLElement;
  private readonly uploadStatus = createUploadStatus();
  private readonly upload: ImageUpload;
  private readonly browser: ImageBrowser;

  constructor({ client, stage, pick, uploaded }: ImageChoiceOptions) {
    const done = (image: string, name: string, others: number) => {
      uploaded(image, name, others);
      this.browser.invalidate(); // it is the first of them now
    };
    this.upload = new ImageUpload({ client, done, say: (words, isError) => this.uploadStatus.say(words, isError) });
    this.browser = new ImageBrowser(client, pick, this.upload.button, this.upload.input);
    this.browser.error.before(this.uploadStatus.besideButton);
    this.element = this.browser.element;
    this.status = this.uploadStatus.belowImage;
    this.upload.acceptDrops(stage.element, (shown) => stage.showDropHint(shown));
    this.upload.acceptDrops(this.element, (shown) => this.element.classList.toggle("dwo-dropping", shown));
  }

  close(): void {
    this.upload.close();
    this.browser.close();
  }

  update(state: OcclusionState): void {
    this.uploadStatus.follow(state);
    this.browser.mark(state.image);
  }

  /** Load the first thumbnails. */
  open(): void {
    this.browser.open();
  }

  /** The user does something else: an error is over. */
  clearError(): void {
    this.uploadStatus.clearError();
  }

  focus(): void {
    this.browser.search.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }
}
