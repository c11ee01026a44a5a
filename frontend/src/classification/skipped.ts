import type { SkippedImage } from "../kernel/wire.ts";
import { h, setText } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";

/** Create the list of photographs that could not be read. */
export function createSkipped() {
  const heading = h("summary", {});
  const list = h("ul", {});
  const element = h("details", { class: "dwc-skipped", hidden: true, "data-testid": "skipped" }, heading, list);
  const update = (skipped: SkippedImage[]) => {
    element.hidden = !skipped.length;
    setText(heading, `${formatCount(skipped.length, "photograph")} could not be read and were skipped`);
    list.replaceChildren(...skipped.map(({ name, reason }) => h("li", {}, `${name}: ${reason}`)));
  };
  return { element, update };
}
