import { h, setText } from "../ui/dom.ts";
import { megabytes, uploadFile } from "../kernel/upload.ts";
import { errorWords } from "../ui/explorer_view.ts";
import type { AskingWire } from "../kernel/client.ts";

/** What is shown, and that other files are not. */
export function uploadedWords(name: string, others: number) {
  if (!others) return `Showing ${name}`;
  return `Showing ${name}; ${others === 1 ? "the other file was" : `the other ${others} files were`} left out: drop one at a time.`;
}

/** A picture from the user's machine: chosen, or dropped on the widget. */
export function createPictureUpload({
  wire,
  done,
  say,
}: {
  wire: AskingWire;
  /** `others`: how many files came with it, and were left out */
  done: (image: string, name: string, others: number) => void;
  say: (words: string, bad: boolean) => void;
}) {
  const input = h("input", { type: "file", accept: "image/*", hidden: true, "data-testid": "upload-file", "aria-label": "A picture" });
  const button = h(
    "button",
    { type: "button", class: "dwo-plain", "data-testid": "upload", onclick: () => input.click() },
    "Upload a picture…",
  );
  let going: AbortController | null = null;

  /** The first of the files. */
  const bring = async ([file, ...others]: FileList) => {
    going?.abort(); // the newest picture counts
    const own = new AbortController();
    going = own;
    const progress = (have: number) => !own.signal.aborted && say(`${file.name}: ${megabytes(have)} of ${megabytes(file.size)}`, false);
    progress(0);
    try {
      const found = await uploadFile(wire, file, { progress, signal: own.signal, cancels: false });
      if (own.signal.aborted) return;
      say("", false);
      if (found) done(found.image, file.name, others.length);
    } catch (error) {
      if (!own.signal.aborted) say(errorWords(error), true);
    }
  };
  input.addEventListener("change", () => {
    if (input.files?.length) void bring(input.files);
    input.value = ""; // the same file may be chosen again
  });

  /** Let pictures be dropped on an element. */
  const accept = (place: HTMLElement, offer: (dropping: boolean) => void) => {
    let inside = 0;
    place.addEventListener("dragenter", (event) => {
      event.preventDefault();
      inside += 1;
      offer(true);
    });
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("dragleave", () => {
      inside = Math.max(0, inside - 1);
      if (!inside) offer(false);
    });
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the notebook would open it
      inside = 0;
      offer(false);
      const files = event.dataTransfer?.files;
      if (files?.length) void bring(files);
      else say("That is no file: drop a picture from a folder, or save it first.", true);
    });
  };
  return { button, input, accept, close: () => going?.abort() };
}

/** What an upload says, where one looks: by its button if that is shown, else beneath the stage. */
export function createUploadWords() {
  const [stage, browser] = ["stage-words", "upload-words"].map((testid) =>
    h("p", { class: "dwo-said", role: "status", hidden: true, "data-testid": testid }),
  );
  let said = { words: "", bad: false };
  let shown = { tab: "", image: "" };
  const show = () => {
    const here = shown.tab === "images" ? browser : stage;
    for (const place of [stage, browser]) {
      const words = place === here ? said.words : "";
      place.hidden = !words;
      place.classList.toggle("dwx-error", said.bad);
      setText(place, words);
    }
  };
  const say = (words: string, bad: boolean) => {
    said = { words, bad };
    show();
  };
  /** Something else is done: what was wrong with a picture is over. */
  const forget = () => {
    if (said.bad) say("", false);
  };
  const follow = ({ tab, image }: { tab: string; image: string }) => {
    if (tab === shown.tab && image === shown.image) return;
    if (image !== shown.image) forget();
    shown = { tab, image };
    show();
  };
  return { stage, browser, say, forget, follow };
}
