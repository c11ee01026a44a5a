/** The form fields of the data: a known data set, a path, or an upload. */
import type { KernelClient } from "../kernel/client.ts";
import { UserError } from "../kernel/errors.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { createTextField, type FieldListeners } from "../ui/text_field.ts";
import type { DataChoice, Status, TransferState } from "./wire.ts";
import { createZipUpload } from "./zip_upload.ts";

const PATH = "path:";
const UPLOAD = "upload:";
const PATH_HINT = "On the kernel's machine";
const ROOT_HINT = "The folder that contains caltech101 or caltech256; by default DECONVWIDGETS_DATA";

interface DataFieldsOptions extends FieldListeners {
  client: KernelClient;
  set: (patch: Partial<TransferState>) => void;
  refresh: () => void;
}

function parsePath(text: string): string {
  if (!text) throw new UserError("enter a folder with one folder per class, or a zip file of it");
  return text;
}

export function createDataFields({ client, set, refresh, ...listeners }: DataFieldsOptions) {
  /** The selected option if its data is still missing: path or upload. */
  let pending: typeof PATH | typeof UPLOAD | null = null;
  const uploaded = new Map<string, string>(); // file names by data
  let optionsKey = "";
  let isPath = false; // whether the data is a path
  const setData = (data: string) => {
    pending = null;
    set({ data });
  };
  const pick = (name: string) => {
    pending = name === UPLOAD || (name === PATH && !isPath) ? name : null;
    if (pending || name === PATH) refresh();
    else set({ data: name });
    if (name !== PATH) return;
    path.element.hidden = false; // the refresh happens in the next frame
    path.input.focus();
  };
  const source = createSelect<string>({ label: "Photographs", testid: "data", choices: [], pick });
  source.element.className = "dwx-field dwx-wide";
  source.select.classList.replace("dwx-select", "dwx-input");
  const path = createTextField({
    ...listeners,
    label: "Path",
    testid: "path",
    wide: true,
    placeholder: "folder of class folders, or zip file",
    hint: PATH_HINT,
    parse: parsePath,
    accept: setData,
  });
  const root = createTextField({
    ...listeners,
    label: "Folder of the data set",
    testid: "root",
    wide: true,
    placeholder: "the folder that contains it",
    hint: ROOT_HINT,
    parse: (text) => text || null,
    accept: (value) => set({ root: value }),
  });
  const upload = createZipUpload({
    client,
    done: (data, name) => {
      uploaded.set(data, name);
      setData(data);
    },
  });
  const hint = h("p", { class: "dwt-small dwx-error", "data-testid": "data-hint", hidden: true });
  const element = h("div", { class: "dwt-fields" }, source.element, path.element, root.element, upload.element, hint);

  const updateOptions = (choices: DataChoice[]) => {
    const key = JSON.stringify(choices);
    if (key === optionsKey) return;
    optionsKey = key;
    const options = choices.map(({ data, description: label }) => h("option", { value: data }, label));
    const otherOptions = [
      h("option", { value: PATH }, "Folder or zip file on the kernel's machine…"),
      h("option", { value: UPLOAD }, "Upload a zip file…"),
    ];
    source.select.replaceChildren(...options, ...otherOptions);
  };

  const update = ({ choices }: Status, state: TransferState) => {
    const uploads = [...uploaded].filter(([data]) => !choices.some((choice) => choice.data === data));
    const allChoices = [...choices, ...uploads.map(([data, name]) => ({ data, description: name, hint: "" }))];
    updateOptions(allChoices);
    const known = allChoices.find(({ data }) => data === state.data);
    isPath = !known;
    const selectedValue = pending ?? (known ? state.data : PATH);
    source.select.value = selectedValue;
    path.element.hidden = selectedValue !== PATH;
    path.show(known ? "" : state.data);
    const isMissing = Boolean(known?.hint) || state.root !== null;
    root.element.hidden = !selectedValue.startsWith("caltech") || !isMissing;
    root.show(state.root ?? "");
    upload.element.hidden = selectedValue !== UPLOAD && !upload.isBusy();
    setText(hint, pending ? "" : (known?.hint ?? ""));
    hint.hidden = !hint.textContent;
  };
  return { element, update, isPending: () => pending !== null, close: upload.close };
}
