/**
 * Whether there is a kernel behind the page. A page that was exported (nbconvert, MyST-NB, nbsphinx) and a notebook that was saved with the
 * state of its widgets have models without one.
 */
import type { WidgetModel } from "./model.ts";

/** Return whether the comm of the model is open; undefined if the front end does not tell (marimo). */
export async function isConnected(model: WidgetModel): Promise<boolean | undefined> {
  // anywidget passes a proxy of the model. The model itself, which knows its comm, is found by its id.
  const id = model.get("_comm_id");
  const manager = model.widget_manager as { get_model?(id: string): unknown } | undefined;
  if (!id || typeof manager?.get_model !== "function") return undefined;
  try {
    const { comm_live: live } = (await manager.get_model(id)) as { comm_live?: unknown };
    return typeof live === "boolean" ? live : undefined;
  } catch (error) {
    console.debug("The model could not be found:", error);
    return undefined;
  }
}
