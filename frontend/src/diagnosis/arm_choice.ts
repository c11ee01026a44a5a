/** The choice of the arm under the shift microscope, in the header. */
import { h } from "../ui/dom.ts";
import { createRadioGroup } from "../ui/radio_group.ts";
import type { Arm } from "./wire.ts";

export function createArmChoice(pick: (arm: number) => void) {
  const element = h("div", { class: "dwn-arm-choice", "data-testid": "arms" });
  let named = "";
  let group: { show: (name: string) => void } | null = null;
  const update = (arms: readonly Arm[], shown: number) => {
    const key = arms.map(({ arm, label }) => `${arm} ${label}`).join("|");
    if (key !== named) {
      named = key;
      const choices = arms.map(({ arm, label, steps }) => [String(arm), label, steps.join(" ")] as const);
      const made = createRadioGroup({ label: "Network", prefix: "arm", choices, pick: (name) => pick(Number(name)) });
      group = made;
      element.replaceChildren(made.element);
    }
    group?.show(String(shown));
  };
  return { element, update };
}
