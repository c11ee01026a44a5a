import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { formatMegabytes, uploadFile } from "../kernel/upload.ts";
import { h, setText } from "../ui/dom.ts";

/**
 * The upload of a zip of class folders.
 * @param done called with the data's name to the kernel, and the file's
 */
export function createZipUpload({ client, done }: { client: KernelClient; done: (data: string, name: string) => void }) {
  let current: AbortController | null = null;
  const accept = ".zip,application/zip";
  const input = h("input", { type: "file", accept, hidden: true, "data-testid": "upload-file", "aria-label": "Zip of class folders" });
  const button = { type: "button", class: "dwt-plain" };
  const choose = h("button", { ...button, "data-testid": "upload-pick", onclick: () => input.click() }, "Choose a zip…");
  const cancel = h("button", { ...button, "data-testid": "upload-cancel", onclick: () => current?.abort() }, "Cancel");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const words = h("span", { class: "dwt-small", "data-testid": "upload-words", role: "status" });
  const busy = h("div", { class: "dwt-uploading", hidden: true }, bar, cancel);
  const element = h("div", { class: "dwt-upload", hidden: true }, input, choose, busy, words);

  const say = (text: string, isError = false) => {
    setText(words, text);
    words.classList.toggle("dwx-error", isError);
  };
  const upload = async (file: File) => {
    current = new AbortController();
    choose.hidden = true;
    busy.hidden = false;
    const progress = (bytes: number) => {
      bar.value = bytes / file.size;
      say(bytes < file.size ? `${file.name}: ${formatMegabytes(bytes)} of ${formatMegabytes(file.size)}` : `${file.name}: unpacking…`);
    };
    progress(0);
    try {
      const uploaded = await uploadFile<{ data: string }>(client, file, { progress, signal: current.signal });
      say(uploaded ? `Uploaded ${file.name}.` : "Cancelled; nothing was kept.");
      if (uploaded) done(uploaded.data, file.name);
    } catch (error) {
      say(errorMessage(error), true);
    }
    current = null;
    choose.hidden = false;
    busy.hidden = true;
  };
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file) void upload(file);
    input.value = ""; // the same file may be chosen again
  });
  return { element, isBusy: () => current !== null, close: () => current?.abort() };
}
