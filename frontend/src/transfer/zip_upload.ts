import type { KernelClient } from "../kernel/client.ts";
import { errorMessage } from "../kernel/errors.ts";
import { formatMegabytes, uploadFile } from "../kernel/upload.ts";
import { h, setText } from "../ui/dom.ts";

/**
 * Create the upload of a zip file of class folders.
 * @param done called with the data, as the kernel names it, and the file name
 */
export function createZipUpload({ client, done }: { client: KernelClient; done: (data: string, name: string) => void }) {
  let current: AbortController | null = null;
  const accept = ".zip,application/zip";
  const input = h("input", { type: "file", accept, hidden: true, "data-testid": "upload-file", "aria-label": "Zip file of class folders" });
  const buttonProperties = { type: "button", class: "dwt-button" };
  const chooseButton = h(
    "button",
    { ...buttonProperties, "data-testid": "upload-pick", onclick: () => input.click() },
    "Choose a zip file…",
  );
  const cancelButton = h("button", { ...buttonProperties, "data-testid": "upload-cancel", onclick: () => current?.abort() }, "Cancel");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const status = h("span", { class: "dwt-small", "data-testid": "upload-words", role: "status" });
  const progressRow = h("div", { class: "dwt-uploading", hidden: true }, bar, cancelButton);
  const element = h("div", { class: "dwt-upload", hidden: true }, input, chooseButton, progressRow, status);

  const showStatus = (text: string, isError = false) => {
    setText(status, text);
    status.classList.toggle("dwx-error", isError);
  };
  const upload = async (file: File) => {
    current = new AbortController();
    chooseButton.hidden = true;
    progressRow.hidden = false;
    const progress = (bytes: number) => {
      bar.value = bytes / file.size;
      showStatus(
        bytes < file.size ? `${file.name}: ${formatMegabytes(bytes)} of ${formatMegabytes(file.size)}` : `${file.name}: unpacking…`,
      );
    };
    progress(0);
    try {
      const uploaded = await uploadFile<{ data: string }>(client, file, { progress, signal: current.signal });
      showStatus(uploaded ? `Uploaded ${file.name}.` : "Cancelled; nothing was kept.");
      if (uploaded) done(uploaded.data, file.name);
    } catch (error) {
      showStatus(errorMessage(error), true);
    }
    current = null;
    chooseButton.hidden = false;
    progressRow.hidden = true;
  };
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file) void upload(file);
    input.value = ""; // allow selecting the same file again
  });
  return { element, isBusy: () => current !== null, close: () => current?.abort() };
}
