/** Upload of an image from the user's machine, as every instrument with a photograph offers it. */
import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { formatMegabytes, uploadFile } from "../kernel/upload.ts";
import { h } from "./dom.ts";

const NO_FILE = "Only files can be dropped here. Save the image to a file first.";

/** Return the message after an upload. */
export function describeUpload(name: string, ignored: number): string {
  if (!ignored) return `Uploaded ${name}.`;
  return `Uploaded ${name}; ${ignored === 1 ? "the other file was" : `the other ${ignored} files were`} ignored. Drop one file at a time.`;
}

interface UploadOptions {
  client: KernelClient;
  /** The class of the button. */
  buttonClass: string;
  /** @param ignored the number of further dropped files, which are ignored */
  done: (image: string, name: string, ignored: number) => void;
  showStatus: (text: string, isError: boolean) => void;
}

/** Upload of an image from the user's machine: selected in a dialog, or dropped on an element. */
export class ImageUpload {
  readonly input = h("input", { type: "file", accept: "image/*", hidden: true, "data-testid": "upload-file", "aria-label": "Image file" });
  readonly button: HTMLElement;
  private current: AbortController | null = null;

  constructor(private readonly options: UploadOptions) {
    const onclick = () => this.input.click();
    this.button = h("button", { type: "button", class: options.buttonClass, "data-testid": "upload", onclick }, "Upload image…");
    this.input.addEventListener("change", () => {
      if (this.input.files?.length) void this.upload(this.input.files);
      this.input.value = ""; // allow selecting the same file again
    });
  }

  close(): void {
    this.current?.abort();
  }

  /**
   * Accept images that are dropped on an element.
   * @param showHint called when a file enters and leaves the element
   */
  acceptDrops(target: HTMLElement, showHint: (shown: boolean) => void): void {
    let depth = 0; // number of nested elements that were entered
    target.addEventListener("dragenter", (event) => {
      event.preventDefault();
      depth += 1;
      showHint(true);
    });
    target.addEventListener("dragover", (event) => event.preventDefault());
    target.addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (!depth) showHint(false);
    });
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the notebook must not handle the file
      depth = 0;
      showHint(false);
      const files = event.dataTransfer?.files;
      if (files?.length) void this.upload(files);
      else this.options.showStatus(NO_FILE, true);
    });
  }

  /** Upload the first of the files. */
  private async upload([file, ...ignored]: Iterable<File>): Promise<void> {
    if (!file) return;
    const { client, done, showStatus } = this.options;
    this.current?.abort(); // only the newest upload is used
    const controller = new AbortController();
    this.current = controller;
    const progress = (bytes: number) => {
      if (!controller.signal.aborted) showStatus(`${file.name}: ${formatMegabytes(bytes)} of ${formatMegabytes(file.size)}`, false);
    };
    progress(0);
    try {
      const uploaded = await uploadFile<{ image: string }>(client, file, { progress, signal: controller.signal, canCancel: false });
      if (controller.signal.aborted) return;
      showStatus("", false);
      if (uploaded) done(uploaded.image, file.name, ignored.length);
    } catch (error) {
      if (!controller.signal.aborted) showStatus(errorMessage(error), true);
    }
  }
}
