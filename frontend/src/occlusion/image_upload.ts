import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { formatMegabytes, uploadFile } from "../kernel/upload.ts";
import { h, setText } from "../ui/dom.ts";

const NO_FILE = "Only files can be dropped here: save the image first.";

/** Return what is shown, and that other files are not. */
export function describeUpload(name: string, others: number): string {
  if (!others) return `Showing ${name}.`;
  return `Showing ${name}; ${others === 1 ? "the other file was" : `the other ${others} files were`} ignored: drop one at a time.`;
}

interface UploadOptions {
  client: KernelClient;
  /** @param others number of files that came with it, and were ignored */
  done: (image: string, name: string, others: number) => void;
  say: (words: string, isError: boolean) => void;
}

/** An image from the user's machine: chosen in a dialog, or dropped on an element. */
export class ImageUpload {
  readonly input = h("input", { type: "file", accept: "image/*", hidden: true, "data-testid": "upload-file", "aria-label": "Image file" });
  readonly button: HTMLElement;
  private current: AbortController | null = null;

  constructor(private readonly options: UploadOptions) {
    const onclick = () => this.input.click();
    this.button = h("button", { type: "button", class: "dwo-plain", "data-testid": "upload", onclick }, "Upload image…");
    this.input.addEventListener("change", () => {
      if (this.input.files?.length) void this.upload(this.input.files);
      this.input.value = ""; // the same file may be chosen again
    });
  }

  close(): void {
    this.current?.abort();
  }

  /**
   * Let images be dropped on an element.
   * @param showHint called as a file enters and leaves it
   */
  acceptDrops(place: HTMLElement, showHint: (shown: boolean) => void): void {
    let depth = 0; // of elements that the pointer has entered
    place.addEventListener("dragenter", (event) => {
      event.preventDefault();
      depth += 1;
      showHint(true);
    });
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (!depth) showHint(false);
    });
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the notebook would open it
      depth = 0;
      showHint(false);
      const files = event.dataTransfer?.files;
      if (files?.length) void this.upload(files);
      else this.options.say(NO_FILE, true);
    });
  }

  /** Upload the first of the files. */
  private async upload([file, ...others]: Iterable<File>): Promise<void> {
    if (!file) return;
    const { client, done, say } = this.options;
    this.current?.abort(); // the newest image counts
    const own = new AbortController();
    this.current = own;
    const progress = (bytes: number) => {
      if (!own.signal.aborted) say(`${file.name}: ${formatMegabytes(bytes)} of ${formatMegabytes(file.size)}`, false);
    };
    progress(0);
    try {
      const uploaded = await uploadFile<{ image: string }>(client, file, { progress, signal: own.signal, canCancel: false });
      if (own.signal.aborted) return;
      say("", false);
      if (uploaded) done(uploaded.image, file.name, others.length);
    } catch (error) {
      if (!own.signal.aborted) say(errorMessage(error), true);
    }
  }
}

/** What an upload says, where the user looks: beside its button where that is shown, else below the image. */
export function createUploadStatus() {
  const create = (testid: string) => h("p", { class: "dwo-said", role: "status", hidden: true, "data-testid": testid });
  const [belowImage, besideButton] = [create("stage-words"), create("upload-words")];
  let said = { words: "", isError: false };
  let shown = { tab: "", image: "" };
  const draw = () => {
    const here = shown.tab === "images" ? besideButton : belowImage;
    for (const place of [belowImage, besideButton]) {
      const words = place === here ? said.words : "";
      place.hidden = !words;
      place.classList.toggle("dwx-error", said.isError);
      setText(place, words);
    }
  };
  const say = (words: string, isError: boolean) => {
    said = { words, isError };
    draw();
  };
  /** The user does something else: an error is over. */
  const clearError = () => {
    if (said.isError) say("", false);
  };
  const follow = ({ tab, image }: { tab: string; image: string }) => {
    if (tab === shown.tab && image === shown.image) return;
    if (image !== shown.image) clearError();
    shown = { tab, image };
    draw();
  };
  return { belowImage, besideButton, say, clearError, follow };
}
