import { h, setText } from "./dom.js";
import { megabytes, uploadFile } from "./file_upload.js";
import { errorWords } from "./view.js";

/** What is shown, and that other files are not. @param {string} name @param {number} others */
export function uploadedWords(name, others) {
  if (!others) return `Showing ${name}`;
  return `Showing ${name}; ${others === 1 ? "the other file was" : `the other ${others} files were`} left out: drop one at a time.`;
}

/**
 * A picture from the user's machine: chosen, or dropped on the widget.
 * @param {object} options
 * @param {import("./asking_wire.js").AskingWire} options.wire
 * @param {(image: string, name: string, others: number) => void} options.done `others`: how many files came with it, and were left out
 * @param {(words: string, bad: boolean) => void} options.say
 */
export function createPictureUpload({ wire, done, say }) {
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", accept: "image/*", hidden: true, "data-testid": "upload-file", "aria-label": "A picture" }));
  const button = h("button", { type: "button", class: "dwo-plain", "data-testid": "upload", onclick: () => input.click() }, "Upload a picture…");
  /** @type {AbortController | null} */
  let going = null;

  /** The first of the files. @param {FileList} files */
  const bring = async ([file, ...others]) => {
    going?.abort(); // the newest picture counts
    const own = new AbortController();
    going = own;
    const progress = (/** @type {number} */ have) => !own.signal.aborted && say(`${file.name}: ${megabytes(have)} of ${megabytes(file.size)}`, false);
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

  /**
   * Let pictures be dropped on an element.
   * @param {HTMLElement} place @param {(dropping: boolean) => void} offer
   */
  const accept = (place, offer) => {
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
  const [stage, browser] = ["stage-words", "upload-words"].map((testid) => h("p", { class: "dwo-said", role: "status", hidden: true, "data-testid": testid }));
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
  /** @param {string} words @param {boolean} bad */
  const say = (words, bad) => {
    said = { words, bad };
    show();
  };
  /** Something else is done: what was wrong with a picture is over. */
  const forget = () => {
    if (said.bad) say("", false);
  };
  /** @param {{tab: string, image: string}} state */
  const follow = ({ tab, image }) => {
    if (tab === shown.tab && image === shown.image) return;
    if (image !== shown.image) forget();
    shown = { tab, image };
    show();
  };
  return { stage, browser, say, forget, follow };
}
