import type { KernelClient } from "../kernel/client.ts";
import { ImageUpload } from "../ui/image_upload.ts";
import { ImageBrowser } from "./image_browser.ts";
import type { Stage } from "./stage.ts";
import { createUploadStatus } from "./upload_status.ts";
import type { OcclusionState } from "./wire.ts";

interface ImageChoiceOptions {
  client: KernelClient;
  /** Images can be dropped on the stage and on the thumbnails. */
  stage: Stage;
  pick: (image: string) => void;
  /** @param ignored the number of further dropped files, which are ignored */
  uploaded: (image: string, name: string, ignored: number) => void;
}

/** The choice of the image: from the image set, or an upload. */
export class ImageChoice {
  /** The thumbnails. */
  readonly element: HTMLElement;
  /** The status of an upload while the thumbnails are hidden. */
  readonly status: HTMLElement;
  private readonly uploadStatus = createUploadStatus();
  private readonly upload: ImageUpload;
  private readonly browser: ImageBrowser;

  constructor({ client, stage, pick, uploaded }: ImageChoiceOptions) {
    const done = (image: string, name: string, ignored: number) => {
      uploaded(image, name, ignored);
      this.browser.invalidate(); // uploads are listed first
    };
    this.upload = new ImageUpload({
      client,
      buttonClass: "dwo-button",
      done,
      showStatus: (text, isError) => this.uploadStatus.show(text, isError),
    });
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
    this.uploadStatus.update(state);
    this.browser.select(state.image);
  }

  /** Load the first thumbnails. */
  open(): void {
    this.browser.open();
  }

  /** Call on a user action: clear the error. */
  clearError(): void {
    this.uploadStatus.clearError();
  }

  focus(): void {
    this.browser.search.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }
}
