/** The form's choice of the data: a known set, a path, or an upload. */
import type { KernelClient } from "../kernel/client.ts";
import { UserError } from "../kernel/errors.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { createTextField, type FieldListeners } from "./text_field.ts";
import type { DataChoice, Status, TransferState } from "./wire.ts";
import { createZipUpload } from "./zip_upload.ts";

const PATH = "path:";
const UPLOAD = "upload:";
const PATH_HINT = "On the kernel's machine";
const ROOT_HINT = "The folder that contains caltech101 or caltech256; if empty, DECONVWIDGETS_DATA";

interface DataFieldsOptions extends FieldListeners {
  client: KernelClient;
  set: (patch: Partial<TransferState>) => void;
  refresh: () => void;
}

function parsePath(text: string): string {
  if (!text) throw new UserError("a folder with one folder per class, or a zip of it");
  return text;
}

export function createDataFields({ client, set, refresh, ...listeners }: DataFieldsOptions) {
  /** What is chosen and has no data yet: a path, an upload. */
  let pending: typeof PATH | typeof UPLOAD | null = null;
  const uploaded = new Map<string, string>(); // data to the zip's name
  let offered = "";
  let isPath = false; // whether the data is one
  const take = (data: string) => {
    pending = null;
    set({ data });
  };
  const pick = (name: string) => {
    pending = name === UPLOAD || (name === PATH && !isPath) ? name : null;
    if (pending || name === PATH) refresh();
    else set({ data: name });
    if (name !== PATH) return;
    path.element.hidden = false; // the refresh comes with the next frame
    path.input.focus();
  };
  const source = createSelect<string>({ label: "Photographs", testid: "data", choices: [], pick });
  source.element.className = "dwt-field dwt-wide";
  source.select.classList.replace("dwx-select", "dwt-input");
  const path = createTextField({
    ...listeners,
    label: "Path",
    testid: "path",
    wide: true,
    placeholder: "folder of class folders, or zip",
    hint: PATH_HINT,
    parse: parsePath,
    accept: take,
  });
  const root = createTextField({
    ...listeners,
    label: "Parent folder",
    testid: "root",
    wide: true,
    placeholder: "DECONVWIDGETS_DATA",
    hint: ROOT_HINT,
    parse: (text) => text || null,
    accept: (value) => set({ root: value }),
  });
  const upload = createZipUpload({
    client,
    done: (data, name) => {
      uploaded.set(data, name);
      take(data);
    },
  });
  const hint = h("p", { class: "dwt-small dwx-error", "data-testid": "data-hint", hidden: true });
  const element = h("div", { class: "dwt-fields" }, source.element, path.element, root.element, upload.element, hint);

  const offer = (choices: DataChoice[]) => {
    const key = JSON.stringify(choices);
    if (key === offered) return;
    offered = key;
    const options = choices.map(({ data, words }) => h("option", { value: data }, words));
    const others = [h("option", { value: PATH }, "a folder or zip by its path…"), h("option", { value: UPLOAD }, "upload a zip…")];
    source.select.replaceChildren(...options, ...others);
  };

  const update = ({ choices }: Status, state: TransferState) => {
    const uploads = [...uploaded].filter(([data]) => !choices.some((one) => one.data === data));
    const all = [...choices, ...uploads.map(([data, words]) => ({ data, words, hint: "" }))];
    offer(all);
    const known = all.find(({ data }) => data === state.data);
    isPath = !known;
    const shown = pending ?? (known ? state.data : PATH);
    source.select.value = shown;
    path.element.hidden = shown !== PATH;
    path.show(known ? "" : state.data);
    root.element.hidden = !shown.startsWith("caltech");
    root.show(state.root ?? "");
    upload.element.hidden = shown !== UPLOAD && !upload.isBusy();
    setText(hint, pending ? "" : (known?.hint ?? ""));
    hint.hidden = !hint.textContent;
  };
  return { element, update, isPending: () => pending !== null, close: upload.close };
}
