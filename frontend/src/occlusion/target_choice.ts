import type { HelloReply, OcclusionState } from "./wire.ts";

/** Which class of the classifier the state's target is. */
export class TargetChoice {
  /** What to say of a target that the classifier does not have. */
  notice = "";
  /** The one that was picked: two classes may have one name. */
  private picked: { label: number | null; name: string | null } = { label: null, name: null };

  pick(label: number | null, name: string | null): void {
    this.picked = { label, name };
  }

  /** Return the label of a class; null for the predicted class of each image. */
  label(name: string | null, classes: string[] | null): number | null {
    if (name === null || !classes) return null;
    const { picked } = this;
    if (picked.name === name && picked.label !== null && classes[picked.label] === name) return picked.label;
    const found = classes.indexOf(name);
    return found < 0 ? null : found;
  }

  /** Return whether the classifier has the state's target, where it has one. */
  isKnown({ target }: Pick<OcclusionState, "target">, { classes }: Pick<HelloReply, "classes">): boolean {
    if (target === null || classes?.includes(target)) return true;
    this.notice = `“${target}” is not a class of the present classifier.`;
    return false;
  }
}
