/** The left column: what is trained on what, by which recipe, and the button that starts and stops it. */
import { h, setText } from "../ui/dom.ts";
import { buttonText, studyFacts } from "./texts.ts";
import type { AblationState, Status } from "./wire.ts";

const CANCEL_HINT = "Stop at the next step; the state is saved, so that Resume goes on from there";
const WATCHED = "This panel watches the folder. The call that started the study starts it again.";

export function createPlanView({ run }: { run: (kind: "start" | "cancel") => void }) {
  let action: "start" | "cancel" = "start";
  const facts = h("dl", { class: "dwg-facts", "data-testid": "plan" });
  const recipe = h("ul", { class: "dwg-recipe", "data-testid": "recipe" });
  const recipeTitle = h("h3", {}, "Recipe of all variants");
  const button = h("button", { type: "button", class: "dwx-start", "data-testid": "go", onclick: () => run(action) }, "Start");
  const watched = h("p", { class: "dwg-small" }, WATCHED);
  const element = h(
    "section",
    { class: "dwg-plan", "aria-label": "What is compared" },
    h("h3", {}, "What is compared"),
    facts,
    recipeTitle,
    recipe,
    h("div", { class: "dwx-start-row" }, watched, button),
  );
  let shown = "";

  const update = ({ status, state, busy, available }: { status: Status; state: AblationState; busy: boolean; available: boolean }) => {
    const listed = [studyFacts(status.table), status.recipe];
    const key = JSON.stringify(listed);
    if (key !== shown) {
      shown = key; // else the text may be selected
      facts.replaceChildren(...studyFacts(status.table).flatMap(createFact));
      recipeTitle.hidden = !status.recipe.length;
      recipe.replaceChildren(...status.recipe.map(createPart));
    }
    const active = status.phase === "running" || status.phase === "stopping";
    const all = status.table.rows.length;
    const chosen = state.chosen?.length ?? all;
    action = active ? "cancel" : "start";
    setText(button, buttonText(status, chosen, all));
    button.dataset.running = String(active);
    button.disabled = busy || !available || !(status.can_cancel || (status.can_start && chosen > 0));
    button.hidden = !active && !status.can_start;
    button.title = active ? CANCEL_HINT : chosen ? "" : "Choose a variant in the table";
    watched.hidden = active || status.can_start || status.phase === "complete";
  };
  return { element, update };
}

function createPart([name, value]: [string, string]): HTMLElement {
  return h("li", {}, h("span", { class: "dwg-part-name" }, name), h("span", {}, value));
}

function createFact([name, value]: [string, string]): HTMLElement[] {
  return [h("dt", {}, name), h("dd", { title: value }, value)];
}
