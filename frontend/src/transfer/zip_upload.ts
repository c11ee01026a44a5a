import { h, setText } from "../ui/dom.ts";
import { megabytes, uploadFile } from "../kernel/upload.ts";
import type { TransferWire } from "./wire.ts";

/** Where a zip is chosen and brought to the kernel. */
export function createUpload({ wire, done }: { wire: TransferWire; done: (data: string, name: string) => void }) {
  const input = h("input", {
    type: "file",
    accept: ".zip,application/zip",
    hidden: true,
    "data-testid": "upload-file",
    "aria-label": "A zip of class folders",
  });
  const pick = h(
    "button",
    { type: "button", class: "dwt-plain", "data-testid": "upload-pick", onclick: () => input.click() },
    "Choose a zip…",
  );
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const words = h("span", { class: "dwt-small", "data-testid": "upload-words", role: "status" });
  const cancel = h(
    "button",
    { type: "button", class: "dwt-plain", "data-testid": "upload-cancel", onclick: () => going?.abort() },
    "Cancel",
  );
  const under = h("div", { class: "dwt-uploading", hidden: true }, bar, cancel);
  const element = h("div", { class: "dwt-upload", hidden: true }, input, pick, under, words);
  let going: AbortController | null = null;
  const say = (text: string, bad: boolean = false) => {
    setText(words, text);
    words.classList.toggle("dwx-error", bad);
  };
  const bring = async (file: File) => {
    going = new AbortController();
    pick.hidden = true;
    under.hidden = false;
    const progress = (have: number) => {
      bar.setAttribute("value", String(have / file.size));
      say(have < file.size ? `${file.name}: ${megabytes(have)} of ${megabytes(file.size)}` : `${file.name}: unpacking…`);
    };
    progress(0);
    try {
      const data = (await uploadFile(wire, file, { progress, signal: going.signal }))?.data ?? null;
      say(data ? `${file.name} is there.` : "Cancelled; nothing was kept.");
      if (data) done(data, file.name);
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), true);
    }
    going = null;
    pick.hidden = false;
    under.hidden = true;
  };
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) bring(file);
    input.value = ""; // the same file may be chosen again
  });
  return { element, close: () => going?.abort() };
}
