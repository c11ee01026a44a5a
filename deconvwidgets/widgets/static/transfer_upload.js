import { h, setText } from "./dom.js";

const UPLOAD_CHUNK = 2 * 2 ** 20; // bytes; Jupyter's websockets take 10 MB at most

/** @param {number} bytes */
export function megabytes(bytes) {
  const size = bytes / 1e6;
  return `${size < 10 ? size.toFixed(1) : size.toFixed(0)} MB`;
}

/**
 * Bring a zip to the kernel in chunks; gives the folder that it was unpacked to, null where it was cancelled. Rejects in words.
 * @param {import("./transfer_wire.js").TransferWire} wire
 * @param {Blob & {name: string}} file
 * @param {{progress: (have: number) => void, signal: AbortSignal}} options
 * @returns {Promise<string | null>}
 */
export async function uploadZip(wire, file, { progress, signal }) {
  const begun = await wire.ask("upload", { step: "begin", name: file.name, size: file.size });
  if (!begun) return null;
  const { upload } = begun.content;
  /** @param {string} step @param {Record<string, any>} [fields] @param {ArrayBuffer[]} [buffers] */
  const ask = (step, fields = {}, buffers = []) => wire.ask("upload", { step, upload, ...fields }, { key: `upload ${upload}`, buffers });
  try {
    let have = 0;
    while (have < file.size && !signal.aborted) {
      const chunk = await file.slice(have, have + UPLOAD_CHUNK).arrayBuffer();
      const answer = await ask("chunk", { offset: have }, [chunk]);
      if (!answer) return null;
      if (answer.content.have <= have) throw new Error("The upload does not go on; choose the zip again.");
      have = answer.content.have;
      progress(have);
    }
    if (!signal.aborted) return (await ask("finish"))?.content.data ?? null;
  } catch (error) {
    await ask("cancel").catch(() => null); // what went wrong before is what is told
    throw error;
  }
  await ask("cancel");
  return null;
}

/**
 * Where a zip is chosen and brought to the kernel.
 * @param {{wire: import("./transfer_wire.js").TransferWire, done: (data: string, name: string) => void}} options
 */
export function createUpload({ wire, done }) {
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", accept: ".zip,application/zip", hidden: true, "data-testid": "upload-file", "aria-label": "A zip of class folders" }));
  const pick = h("button", { type: "button", class: "dwt-plain", "data-testid": "upload-pick", onclick: () => input.click() }, "Choose a zip…");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const words = h("span", { class: "dwt-small", "data-testid": "upload-words", role: "status" });
  const cancel = h("button", { type: "button", class: "dwt-plain", "data-testid": "upload-cancel", onclick: () => going?.abort() }, "Cancel");
  const under = h("div", { class: "dwt-uploading", hidden: true }, bar, cancel);
  const element = h("div", { class: "dwt-upload", hidden: true }, input, pick, under, words);
  /** @type {AbortController | null} */
  let going = null;
  /** @param {string} text @param {boolean} [bad] */
  const say = (text, bad = false) => {
    setText(words, text);
    words.classList.toggle("dwx-error", bad);
  };
  /** @param {File} file */
  const bring = async (file) => {
    going = new AbortController();
    pick.hidden = true;
    under.hidden = false;
    const progress = (/** @type {number} */ have) => {
      bar.setAttribute("value", String(have / file.size));
      say(have < file.size ? `${file.name}: ${megabytes(have)} of ${megabytes(file.size)}` : `${file.name}: unpacking…`);
    };
    progress(0);
    try {
      const data = await uploadZip(wire, file, { progress, signal: going.signal });
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
