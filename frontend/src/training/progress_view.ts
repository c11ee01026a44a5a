/** How far the training is, and what is wrong. */
import { h, setText } from "../ui/dom.ts";
import { describePhase, describeProgress, doneShare } from "./texts.ts";
import type { Status } from "./wire.ts";

export function createProgressView() {
  const phase = h("b", { class: "dwg-phase", "data-testid": "phase" });
  const text = h("span", { class: "dwg-progress-text", "data-testid": "progress" });
  const bar = h("progress", { max: 1, "aria-label": "Progress of the training", "data-testid": "bar" });
  const message = h("p", { class: "dwg-message", role: "alert", "data-testid": "message" });
  const line = h("div", { class: "dwg-progress-line" }, phase, text);
  const element = h("div", { class: "dwg-progress" }, line, bar, message);

  const update = (status: Status) => {
    element.dataset.phase = status.phase;
    setText(phase, describePhase(status));
    setText(text, describeProgress(status));
    const share = doneShare(status);
    bar.hidden = status.phase === "new" || status.phase === "recorded";
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    setText(message, status.message);
    message.hidden = !status.message;
    message.classList.toggle("dwx-error", status.phase === "failed");
  };
  return { element, update };
}
