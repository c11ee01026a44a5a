/** The head of the shift microscope: what to do, and the upload of a photograph, by a button or dropped on the stage. */
import type { KernelClient } from "../kernel/client.ts";
import { h, setText } from "../ui/dom.ts";
import { describeUpload, ImageUpload } from "../ui/image_upload.ts";

interface Options {
  client: KernelClient;
  stage: HTMLElement;
  uploaded: (image: string, message: string) => void;
}

export function createPhotographUpload({ client, stage, uploaded }: Options) {
  const status = h("p", { class: "dwn-small", role: "status", hidden: true, "data-testid": "upload-words" });
  const upload = new ImageUpload({
    client,
    buttonClass: "dwn-link",
    done: (image, name, ignored) => uploaded(image, describeUpload(name, ignored)),
    showStatus: (text, isError) => {
      status.hidden = !text;
      status.classList.toggle("dwx-error", isError);
      setText(status, text);
    },
  });
  upload.acceptDrops(stage, (shown) => stage.classList.toggle("dwn-dropping", shown));
  const words = h("span", { class: "dwn-space" }, "Shift microscope: drag the photograph");
  const element = h("div", {}, h("div", { class: "dwn-head" }, words, upload.button, upload.input), status);
  return { element, close: () => upload.close() };
}
