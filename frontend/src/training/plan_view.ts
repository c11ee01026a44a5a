/** The left column: what is trained on what, by which recipe, and the button that starts and stops it. */
import { h, setText } from "../ui/dom.ts";
import { buttonText, planFacts } from "./texts.ts";
import type { Plan, RecipePart, Status } from "./wire.ts";

const SOURCES: Record<RecipePart["source"], [text: string, hint: string]> = {
  paper: ["paper", "As in Zeiler & Fergus 2014, section 3"],
  changed: ["changed", "The paper has another value"],
  ours: ["ours", "The paper does not say"],
};
const CANCEL_HINT = "Stop at the next step; the state is saved, so that Resume goes on from there";
const WATCHED = "This panel watches the folder. The call that started the training starts it again.";

export function createPlanView({ run }: { run: (kind: "start" | "cancel") => void }) {
  let action: "start" | "cancel" = "start";
  const facts = h("dl", { class: "dwg-facts", "data-testid": "plan" });
  const classes = h("p", {});
  const classList = h("details", { class: "dwg-classes" }, h("summary", {}, "Classes"), classes);
  const recipe = h("ul", { class: "dwg-recipe", "data-testid": "recipe" });
  const recipeTitle = h("h3", {}, "Recipe");
  const button = h("button", { type: "button", class: "dwx-start", "data-testid": "go", onclick: () => run(action) }, "Start");
  const watched = h("p", { class: "dwg-small" }, WATCHED);
  const element = h(
    "section",
    { class: "dwg-plan", "aria-label": "What is trained" },
    h("h3", {}, "What is trained"),
    facts,
    classList,
    recipeTitle,
    recipe,
    h("div", { class: "dwx-start-row" }, watched, button),
  );
  let shown = "";

  const updatePlan = (plan: Plan | null, folder: string) => {
    const key = JSON.stringify([plan, folder]);
    if (key === shown) return; // the text may be selected
    shown = key;
    const listed: [string, string][] = plan ? planFacts(plan, folder) : [["Folder", folder]];
    facts.replaceChildren(...listed.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { title: value }, value)]));
    classList.hidden = !plan?.classes.length;
    setText(classes, plan?.classes.join(", ") ?? "");
    recipeTitle.hidden = !plan?.recipe.length;
    recipe.replaceChildren(...(plan?.recipe ?? []).map(createPart));
  };

  const update = ({ status, busy, available }: { status: Status; busy: boolean; available: boolean }) => {
    updatePlan(status.plan, status.folder);
    const active = status.phase === "running" || status.phase === "stopping";
    action = active ? "cancel" : "start";
    setText(button, buttonText(status));
    button.dataset.running = String(active);
    button.disabled = busy || !available || !(status.can_start || status.can_cancel);
    button.hidden = !active && !status.can_start && status.phase !== "finished";
    button.title = active ? CANCEL_HINT : status.resumes && status.can_start ? "Go on from the last saved state" : "";
    watched.hidden = active || status.can_start || status.phase === "finished";
    if (status.phase === "finished" && !status.can_start) button.hidden = true;
  };
  return { element, update };
}

function createPart({ name, value, on, source, paper }: RecipePart): HTMLElement {
  const [text, hint] = SOURCES[source];
  const explanation = paper ? `${hint}: ${paper}` : hint;
  return h(
    "li",
    { "data-on": String(on), title: explanation },
    h("span", { class: "dwg-part-name" }, name),
    h("span", {}, value),
    h("span", { class: `dwg-source dwg-source-${source}` }, text),
  );
}
