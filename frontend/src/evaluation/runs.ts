/** The controls to select the run, and the run to compare it with. */
import { h } from "../ui/dom.ts";
import { describeRun } from "./texts.ts";
import type { EvaluationState, RunSummary, Status } from "./wire.ts";

export function createRunChoice(set: (patch: Partial<EvaluationState>) => void) {
  let drawnKey = "";
  const runSelect = h("select", { class: "dwx-select", "data-testid": "results-run" });
  const beforeSelect = h("select", { class: "dwx-select", "data-testid": "results-before" });
  runSelect.addEventListener("change", () => set({ run: Number(runSelect.value), before: null, cell: null }));
  beforeSelect.addEventListener("change", () => beforeSelect.value && set({ before: Number(beforeSelect.value), show: "changes" }));
  const row = (label: string, select: HTMLElement) => h("label", { class: "dwx-choice" }, label, select);
  const beforeRow = row("compared with ", beforeSelect);
  const element = h("div", { class: "dwe-runs", hidden: true }, row("Run ", runSelect), beforeRow);

  const update = ({ runs }: Status, shown: RunSummary | null, before: RunSummary | null) => {
    element.hidden = runs.length < 2;
    const newestFirst = [...runs].reverse();
    const key = `${newestFirst.map(describeRun).join("\n")} ${shown?.run} ${before === null}`;
    if (key !== drawnKey) {
      drawnKey = key;
      const createOption = (run: RunSummary) => h("option", { value: run.run }, describeRun(run));
      const others = newestFirst.filter(({ run, photographs, task }) => run !== shown?.run && photographs && task === "classification");
      runSelect.replaceChildren(...newestFirst.map(createOption));
      const none = before ? [] : [h("option", { value: "" }, "none")];
      beforeSelect.replaceChildren(...none, ...others.map(createOption));
    }
    beforeRow.hidden = shown?.task !== "classification";
    runSelect.value = String(shown?.run ?? "");
    beforeSelect.value = String(before?.run ?? "");
  };
  return { element, update };
}
