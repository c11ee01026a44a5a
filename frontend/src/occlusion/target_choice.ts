import type { HelloReply, OcclusionState } from "./wire.ts";

/** Maps the target of the state, a class name, to a label of the classifier. */
export class TargetChoice {
  /** The message if the target is not a class of the classifier. */
  notice = "";
  /** The last selected class: several classes may have the same name. */
  private picked: { label: number | null; name: string | null } = { label: null, name: null };

  pick(label: number | null, name: string | null): void {
    this.picked = { label, name };
  }

  /** Return the label of a class name; null: the predicted class of each image. */
  label(name: string | null, classes: string[] | null): number | null {
    if (name === null || !classes) return null;
    const { picked } = this;
    if (picked.name === name && picked.label !== null && classes[picked.label] === name) return picked.label;
    const index = classes.indexOf(name);
    return index < 0 ? null : index;
  }

  /** Return whether the target of the state is null or a class of the classifier. */
  isKnown({ target }: Pick<OcclusionState, "target">, { classes }: Pick<HelloReply, "classes">): boolean {
    if (target === null || classes?.includes(target)) return true;
    this.notice = `“${target}” is not a class of the current classifier.`;
    return false;
  }
}
