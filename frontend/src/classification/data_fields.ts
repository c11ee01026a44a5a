/** The form fields of the data: a known data set, a path, or an upload. */
import { UserError } from "../kernel/errors.ts";
import { createSelect, h, setText } from "../ui/dom.ts";
import { createTextField, type FieldListeners } from "../ui/text_field.ts";

const PATH = "path:";
const UPLOAD = "upload:";
/** Where paths are looked for. `host` is the name of the service's machine if the notebook runs on another one. */
const machine = (host: string) => (host ? `the service's machine, ${host}` : "the kernel's machine");
const ROOT_HINT = "The folder that contains caltech101 or caltech256; by default DECONVWIDGETS_DATA";

/** A data set that the kernel knows. */
export interface DataChoice {
  data: string;
  description: string;
  /** What is missing if the data is not available. */
  hint: string;
}

/** The part of a widget's state that names the data. */
export interface DataState {
  data: string;
  root: string | null;
}

/** The upload of a zip file. */
interface Upload {
  element: HTMLElement;
  isBusy: () => boolean;
  close: () => void;
}

interface DataFieldsOptions extends FieldListeners {
  set: (patch: Partial<DataState>) => void;
  refresh: () => void;
  /** Creates the upload; without it there is none. `done` is called with the data, as the kernel names it, and the file name. */
  createUpload?: (done: (data: string, name: string) => void) => Upload;
}

function parsePath(text: string): string {
  if (!text) throw new UserError("enter a folder with one folder per class, or a zip file of it");
  return text;
}

/** Create the form fields. */
export function createDataFields({ set, refresh, createUpload, ...listeners }: DataFieldsOptions) {
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
    hint: "A folder or zip file with a folder for each class",
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
  const upload = createUpload?.((data, name) => {
    uploaded.set(data, name);
    setData(data);
  });
  const hint = h("p", { class: "dwc-dim dwx-error", "data-testid": "data-hint", hidden: true });
  const element = h("div", { class: "dwx-fields" }, source.element, path.element, root.element, upload?.element, hint);

  const updateOptions = (choices: DataChoice[], host: string) => {
    const key = JSON.stringify([choices, host]);
    if (key === optionsKey) return;
    optionsKey = key;
    const options = choices.map(({ data, description: label }) => h("option", { value: data }, label));
    const otherOptions = [h("option", { value: PATH }, `Folder or zip file on ${machine(host)}…`)];
    if (upload) otherOptions.push(h("option", { value: UPLOAD }, "Upload a zip file…"));
    source.select.replaceChildren(...options, ...otherOptions);
  };

  const update = ({ choices }: { choices: DataChoice[] }, state: DataState, host = "") => {
    const uploads = [...uploaded].filter(([data]) => !choices.some((choice) => choice.data === data));
    const allChoices = [...choices, ...uploads.map(([data, name]) => ({ data, description: name, hint: "" }))];
    updateOptions(allChoices, host);
    const known = allChoices.find(({ data }) => data === state.data);
    isPath = !known;
    const selectedValue = pending ?? (known ? state.data : PATH);
    source.select.value = selectedValue;
    path.element.hidden = selectedValue !== PATH;
    path.show(known ? "" : state.data);
    const isMissing = Boolean(known?.hint) || state.root !== null;
    root.element.hidden = !selectedValue.startsWith("caltech") || !isMissing;
    root.show(state.root ?? "");
    if (upload) upload.element.hidden = selectedValue !== UPLOAD && !upload.isBusy();
    setText(hint, pending ? "" : (known?.hint ?? ""));
    hint.hidden = !hint.textContent;
  };
  return { element, update, isPending: () => pending !== null, close: () => upload?.close() };
}
