import { TargetChoice } from "./target_choice.ts";
import type { HelloReply, OcclusionRequest, OcclusionState } from "./wire.ts";

/** The target class and the class that it is compared with. */
export class ClassChoice {
  private readonly choices = { target: new TargetChoice(), against: new TargetChoice() };

  /** Return the part of the state for a picked class; null: the default of each image. */
  pick(role: "target" | "against", label: number | null, name: string | null): Partial<OcclusionState> {
    this.choices[role].pick(label, name);
    return role === "target" ? { target: name } : { against: name };
  }

  /** Return the request for the scene of a state. */
  request({ image, layer, unit, target, fill, against, tab }: OcclusionState, { classes }: HelloReply): OcclusionRequest {
    const compared = this.choices.against.label(against, classes);
    const whole = { image, layer, unit, target: this.choices.target.label(target, classes), fill };
    return { ...whole, against: compared === null && tab === "why" ? "auto" : compared };
  }

  /** Return the classes of a state that are not classes of the classifier, as null. */
  unknown(state: OcclusionState, hello: HelloReply): Partial<OcclusionState> {
    const roles = (["target", "against"] as const).filter((role) => !this.choices[role].isKnown(state[role], hello));
    return Object.fromEntries(roles.map((role) => [role, null]));
  }

  /** The message about the first of these. */
  get notice(): string {
    return this.choices.target.notice || this.choices.against.notice;
  }
}
