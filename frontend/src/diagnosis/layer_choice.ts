/** The choice between a few and all layers of a deep network, under the shift microscope. */
import { h } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import type { LayerChoice } from "./wire.ts";

const FEW = "Five feature maps, evenly spread over the network, and the last three fully connected layers";
const ALL = "Every feature map of a convolution, and every fully connected layer, in order of execution";

export function createLayerChoice(pick: (layers: LayerChoice) => void) {
  const element = h("div", { class: "dwn-head dwn-layer-choice", hidden: true });
  let counts = "";
  let group: { show: (layers: LayerChoice) => void } | null = null;

  /** @param few the number of layers of the choice "few", which is that of all layers of a small network: then there is no choice */
  const update = (few: number, total: number, chosen: LayerChoice) => {
    element.hidden = few === total;
    if (counts !== `${few} ${total}`) {
      counts = `${few} ${total}`;
      const choices = [["few", `${few} of ${total}`, FEW] as const, ["all", `All ${total}`, ALL] as const];
      const made = createRadioGroup({ label: "Layers", prefix: "layers", testid: "layer-choice", choices, pick });
      group = made;
      element.replaceChildren(h("span", {}, "Layers"), made.element);
    }
    group?.show(chosen);
  };
  return { element, update };
}
