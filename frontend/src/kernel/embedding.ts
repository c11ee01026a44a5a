/** A view of another widget of the kernel, made by the page's widget manager. */
import type { WidgetModel } from "./model.ts";

export interface EmbeddedView {
  element: HTMLElement;
  remove(): void;
}

type WithManager = Pick<WidgetModel, "widget_manager">;

interface Manager {
  get_model(id: string): Promise<unknown>;
  create_view(model: unknown): Promise<{ el: HTMLElement; remove(): void }>;
}

/** Return the widget manager if it makes views: that of JupyterLab, Notebook, VS Code and Colab does, marimo's does not. */
function managerOf(model: WithManager): Manager | null {
  const manager = model.widget_manager as Partial<Manager> | undefined;
  return typeof manager?.get_model === "function" && typeof manager.create_view === "function" ? (manager as Manager) : null;
}

/** Return whether the page can show a view of another widget. */
export function canEmbed(model: WithManager): boolean {
  return managerOf(model) !== null;
}

/** Create a view of another widget. */
export async function embedView(model: WithManager, id: string): Promise<EmbeddedView> {
  const manager = managerOf(model);
  if (!manager) throw new Error("This page cannot show another widget here.");
  const view = await manager.create_view(await manager.get_model(id));
  return { element: view.el, remove: () => view.remove() };
}
