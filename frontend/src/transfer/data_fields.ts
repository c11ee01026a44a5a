import { createSelect, h, setText } from "../ui/dom.ts";
import { counted, grouped } from "../ui/format.ts";
import { field } from "./training_fields.ts";
import { createUpload } from "./zip_upload.ts";
import type { TransferWire } from "./wire.ts";
import type { DataSummary, Status, TransferState } from "./wire.ts";

/* What to train on, and what is known of it. */

const PATH = "path:";
const UPLOAD = "upload:";
const USUAL_IMAGES = [60, 45, 30, 20, 15, 10, 5, 4, 3, 2, 1];
const ROOT_HINT = "The folder that holds caltech101 or caltech256; left empty: DECONVWIDGETS_DATA";

/** The choice of the data: a known set, a path, or an upload. */
export function createDataFields({
  wire,
  set,
  complain,
  entered,
  refresh,
}: {
  wire: TransferWire;
  set: (patch: Partial<TransferState>) => void;
  complain: (words: string) => void;
  entered: (changed: boolean) => void;
  refresh: () => void;
}) {
  let mode = ""; // what is picked and has no data yet: a path, an upload
  const uploaded: Map<string, string> = new Map(); // folder and the zip's name
  let offered = "";
  let byPath = false; // whether the data is a path already
  const pick = (name: string) => {
    mode = name === UPLOAD || (name === PATH && !byPath) ? name : "";
    if (mode || name === PATH) refresh();
    else set({ data: name });
    if (name !== PATH) return;
    path.element.hidden = false; // the refresh comes with the next frame
    path.input.focus();
  };
  const source = createSelect({ label: "Photographs", testid: "data", choices: [], pick });
  source.element.className = "dwt-field dwt-wide";
  source.select.classList.replace("dwx-select", "dwt-input");
  const readPath = (text: string) => {
    if (!text) throw new Error("the path of a folder that holds one folder for each class, or of a zip of it");
    return text;
  };
  const takePath = (data: string) => {
    mode = "";
    set({ data });
  };
  const path = field({
    label: "Path",
    testid: "path",
    wide: true,
    placeholder: "folder of class folders, or zip",
    hint: "On the kernel's machine",
    read: readPath,
    take: takePath,
    complain,
    entered,
  });
  const root = field({
    label: "Folder that holds it",
    testid: "root",
    wide: true,
    placeholder: "DECONVWIDGETS_DATA",
    hint: ROOT_HINT,
    read: (text) => text || null,
    take: (value) => set({ root: value }),
    complain,
    entered,
  });
  const arrived = (data: string, name: string) => {
    uploaded.set(data, name);
    mode = "";
    set({ data });
  };
  const upload = createUpload({ wire, done: arrived });
  const hint = h("p", { class: "dwt-small dwx-error", "data-testid": "data-hint", hidden: true });
  const element = h("div", { class: "dwt-fields" }, source.element, path.element, root.element, upload.element, hint);

  const update = (status: Status, state: TransferState) => {
    const choices = [...status.choices];
    for (const [data, words] of uploaded) if (!choices.some((one) => one.data === data)) choices.push({ data, words, hint: "" });
    const key = JSON.stringify(choices);
    if (key !== offered) {
      offered = key;
      const options = choices.map(({ data, words }) => h("option", { value: data }, words));
      source.select.replaceChildren(
        ...options,
        h("option", { value: PATH }, "a folder or zip by its path…"),
        h("option", { value: UPLOAD }, "upload a zip…"),
      );
    }
    const known = choices.find(({ data }) => data === state.data);
    byPath = !known;
    const shown = mode || (known ? state.data : PATH);
    source.select.value = shown;
    path.element.hidden = shown !== PATH;
    path.show(known ? "" : state.data);
    root.element.hidden = !shown.startsWith("caltech");
    root.show(state.root ?? "");
    upload.element.hidden = shown !== UPLOAD && !upload.element.querySelector(".dwt-uploading:not([hidden])");
    setText(hint, mode ? "" : (known?.hint ?? ""));
    hint.hidden = !hint.textContent;
  };
  return { element, update, undecided: () => mode !== "", close: upload.close };
}

/** The largest usual number of training images a class that the data has, where it has fewer than asked; else null. */
export function enoughImages(summary: DataSummary | null, asked: number) {
  if (!summary?.problem || !(summary.most >= 1) || summary.most >= asked) return null;
  return USUAL_IMAGES.find((number) => number <= summary.most) ?? null;
}

/** What is known of the chosen data. */
export function createDataSummary({ set }: { set: (patch: Partial<TransferState>) => void }) {
  const head = h("b", {});
  const facts = h("p", { class: "dwt-small", "data-testid": "data-facts" });
  const wait = h("p", { class: "dwt-small", "data-testid": "data-looking" }, "Looking through the photographs…");
  const notes = h("ul", { class: "dwt-notes", "data-testid": "data-notes" });
  const classes = h(
    "details",
    { class: "dwt-classes" },
    h("summary", { "data-testid": "data-classes" }, "Classes"),
    h("p", { class: "dwt-small" }),
  );
  const problem = h("p", { class: "dwx-error", role: "alert", "data-testid": "data-problem" });
  let enough: number | null = null;
  const fewer = h("button", {
    type: "button",
    class: "dwt-plain",
    "data-testid": "take-fewer",
    onclick: () => set({ images_per_class: enough }),
  });
  const element = h("div", { class: "dwt-known", "data-testid": "data-summary" }, wait, head, facts, notes, classes, problem, fewer);

  const update = ({ summary, error, looking, asked }: { summary: DataSummary | null; error: string; looking: boolean; asked: number }) => {
    enough = enoughImages(summary, asked);
    fewer.hidden = enough === null;
    setText(fewer, `Take ${enough} a class`);
    element.dataset.ready = String(!looking);
    wait.hidden = !looking || Boolean(summary);
    head.hidden = facts.hidden = notes.hidden = !summary;
    classes.hidden = !summary?.categories.length;
    setText(problem, error || summary?.problem || "");
    problem.hidden = !problem.textContent;
    if (!summary) return;
    setText(head, summary.name);
    const { categories, sizes, photographs } = summary;
    const least = sizes.length ? Math.min(...sizes) : 0;
    const alike = sizes.every((size: number) => size === least);
    const smallest = !sizes.length
      ? ""
      : alike
        ? ` · ${grouped(least)} in each`
        : ` · the smallest, ${categories[sizes.indexOf(least)]}, has ${grouped(least)}`;
    setText(facts, `${counted(categories.length, "class", "classes")} · ${counted(photographs, "photograph")}${smallest}`);
    const skipped = summary.skipped.map((one) => `${one.name}: ${one.reason}`);
    notes.replaceChildren(...summary.notes.map((note: string) => h("li", { title: skipped.join("\n") || null }, note)));
    const words = categories.map((name: string, at: number) => `${name} ${sizes[at]}`).join(", ");
    setText(classes.lastElementChild as Element, words);
  };
  return { element, update };
}
