/** The state of a training in words. */
import { formatCount, formatDuration, formatInteger, formatNumber, formatProgress } from "../ui/format.ts";
import type { Phase, Plan, Status, TrainingLog } from "./wire.ts";

const PHASES: Record<Phase, string> = {
  new: "Not started",
  running: "Training",
  stopping: "Stopping",
  finished: "Finished",
  cancelled: "Cancelled",
  failed: "Failed",
  interrupted: "Interrupted",
  recorded: "Recorded",
};

export function describePhase({ phase }: Pick<Status, "phase">): string {
  return PHASES[phase];
}

/** Describe how far a training is: epoch, step, images per second and the time left. */
export function describeProgress({ phase, progress, epochs, plan, preparation }: Status): string {
  if (preparation) return `${preparation.job}: ${formatProgress(preparation, "photographs")}`;
  if (phase === "new") return plan ? `${formatCount(plan.epochs, "epoch")} to train.` : "";
  if (!progress) return phase === "running" ? "Preparing the photographs…" : phase === "recorded" ? formatCount(epochs, "epoch") : "";
  const active = phase === "running" || phase === "stopping";
  const parts = [`epoch ${formatInteger(progress.epoch + (active && progress.steps ? 1 : 0))} of ${formatInteger(progress.epochs)}`];
  if (active && progress.epoch >= progress.epochs)
    parts[0] = `epoch ${formatInteger(progress.epochs)} of ${formatInteger(progress.epochs)}`;
  if (active && progress.steps) parts.push(`step ${formatInteger(progress.step)} of ${formatInteger(progress.steps)}`);
  if (active && progress.images_per_second) parts.push(`${formatNumber(progress.images_per_second)} images/s`);
  if (active && progress.seconds_left) parts.push(`${formatDuration(progress.seconds_left)} left`);
  return parts.join(" · ");
}

/** Return the part of all steps that is done, from 0 to 1; null if unknown. */
export function doneShare({ progress, phase, preparation }: Status): number | null {
  if (preparation) return preparation.total ? preparation.done / preparation.total : null;
  if (!progress?.epochs) return null;
  if (phase === "finished") return 1;
  return Math.min(1, (progress.epoch + (progress.steps ? progress.step / progress.steps : 0)) / progress.epochs);
}

/** Describe the whole epoch: when it was complete, and how fast it was. */
export function describeEpoch(log: TrainingLog, epoch: number): string {
  const index = log.epochs.indexOf(epoch);
  const [seconds, speed] = [log.columns.seconds[index], log.columns.images_per_second[index]];
  const parts = [epoch === 0 ? "Epoch 0, before training" : `Epoch ${epoch}`];
  if (seconds) parts.push(`after ${formatDuration(seconds)}`);
  if (speed) parts.push(`${formatNumber(speed)} images/s`);
  return parts.join(" · ");
}

/** Return names and values of what is trained on what. */
export function planFacts(plan: Plan, folder: string): [name: string, value: string][] {
  const { images, training, validation, classes, parameters, input_size: size } = plan;
  const counted = parameters === null ? "" : `, ${formatMillions(parameters)} parameters`;
  const facts: [string, string][] = [["Network", `${plan.model}${counted}`]];
  if (size) facts.push(["Input", `${size[1]} × ${size[2]}${size[0] === 1 ? ", gray" : ""}`]);
  facts.push(["Start from", plan.pretrained ? "trained weights" : "random weights"]);
  if (images) facts.push(["Images", images]);
  if (training !== null) {
    facts.push(["Train on", formatCount(training, "photograph")]);
    facts.push(["Validate on", validation ? `${formatInteger(validation)} others` : "none"]);
  }
  if (classes.length) facts.push(["Classes", formatInteger(classes.length)]);
  if (plan.epochs) facts.push(["Epochs", formatInteger(plan.epochs)]);
  facts.push(["Folder", folder]);
  return facts;
}

function formatMillions(count: number): string {
  return count >= 1e6 ? `${formatNumber(count / 1e6)} million` : formatInteger(count);
}

/** Return the text of the button: what it does. */
export function buttonText({ phase, can_cancel, resumes }: Status): string {
  if (phase === "stopping") return "Stopping…";
  if (can_cancel) return "Cancel";
  return resumes ? (phase === "finished" ? "Continue training" : "Resume") : "Start";
}
