import { h, setText } from "../ui/dom.ts";

/** Create the status of an upload: beside the upload button if that is visible, else below the image. */
export function createUploadStatus() {
  const create = (testid: string) => h("p", { class: "dwo-upload-status", role: "status", hidden: true, "data-testid": testid });
  const [belowImage, besideButton] = [create("stage-words"), create("upload-words")];
  let status = { text: "", isError: false };
  let shown = { tab: "", image: "" };
  const draw = () => {
    const visible = shown.tab === "images" ? besideButton : belowImage;
    for (const element of [belowImage, besideButton]) {
      const text = element === visible ? status.text : "";
      element.hidden = !text;
      element.classList.toggle("dwx-error", status.isError);
      setText(element, text);
    }
  };
  const show = (text: string, isError: boolean) => {
    status = { text, isError };
    draw();
  };
  /** Call on a user action: clear the error. */
  const clearError = () => {
    if (status.isError) show("", false);
  };
  const update = ({ tab, image }: { tab: string; image: string }) => {
    if (tab === shown.tab && image === shown.image) return;
    if (image !== shown.image) clearError();
    shown = { tab, image };
    draw();
  };
  return { belowImage, besideButton, show, clearError, update };
}
