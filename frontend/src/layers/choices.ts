/** The choices in the header: projection rules and views. */
import { type Choice, createRadioGroup } from "../ui/radio_group.ts";
import type { Rule, View } from "./wire.ts";

const RULES: Choice<Rule>[] = [
  ["deconvnet", "Deconvnet", "The rule of the paper: rectify the backward signal at every rectifier"],
  ["gradient", "Gradient", "The gradient: pass the signal where the input of the rectifier was positive"],
  ["guided", "Guided", "Guided backpropagation: apply both conditions"],
  ["extended", "Extended", "The deconvnet, extended beyond the paper: smooth activations rectify, gates and normalisations are constants"],
];
const VIEWS: Choice<View>[] = [
  ["projections", "Projections", "The strongest activations, projected to pixel space"],
  ["patches", "Patches", "The patches of the photographs in the receptive field"],
  ["both", "Both", "Projections and patches side by side, as in the paper"],
];

export function createRuleChoice(pick: (rule: Rule) => void) {
  return createRadioGroup({ label: "Rule", prefix: "rule", testid: "rules", choices: RULES, pick });
}

export function createViewChoice(pick: (view: View) => void) {
  return createRadioGroup({ label: "Show", prefix: "view", testid: "views", choices: VIEWS, pick });
}
