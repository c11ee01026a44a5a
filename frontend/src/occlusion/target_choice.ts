import type { HelloReply } from "./wire.ts";

/** Maps the target of the state, or the class that it is compared with, to a label of the classifier. */
export class TargetChoice {
  /** The message if it is not a class of the classifier. */
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

  /** Return whether a name is null or a class of the classifier. */
  isKnown(name: string | null, { classes }: Pick<HelloReply, "classes">): boolean {
    if (name === null || classes?.includes(name)) return true;
    this.notice = `“${name}” is not a class of the current classifier.`;
    return false;
  }
}
