/** anywidget's interface. */
import type { AnyModel } from "@anywidget/types";

/** The widget's model in the page: the traits that Python syncs, and messages. */
export type WidgetModel<State extends object = object> = AnyModel<{ state: State; height: number }>;

/** What anywidget hands to `render`. */
export interface RenderContext<State extends object> {
  model: WidgetModel<State>;
  el: HTMLElement;
}

interface Closable {
  close(): void;
}

/**
 * Return a widget definition for anywidget, which calls it once for each model: all views of a model share one store.
 */
export function defineWidget<State extends object, Store extends Closable>(
  createStore: (model: WidgetModel) => Store,
  createView: (context: RenderContext<State>, store: Store) => Closable,
) {
  return () => {
    let store: Store | undefined;
    return {
      initialize({ model, signal }: { model: WidgetModel<State>; signal?: AbortSignal }) {
        const created = createStore(model as unknown as WidgetModel);
        store = created;
        signal?.addEventListener("abort", () => created.close());
      },
      render(context: RenderContext<State>) {
        store ??= createStore(context.model as unknown as WidgetModel);
        const view = createView(context, store);
        return () => view.close();
      },
    };
  };
}
