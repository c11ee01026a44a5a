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

interface ClosableStore extends Closable {
  readonly client: { leave(): void };
}

/** ms without a view before the kernel is told that the page no longer shows the widget: a cell that is moved closes its views and opens new ones. */
const LEAVE_DELAY = 60_000;

/**
 * Return a widget definition for anywidget, which calls it once for each model: all views of a model share one store.
 */
export function defineWidget<State extends object, Store extends ClosableStore>(
  createStore: (model: WidgetModel) => Store,
  createView: (context: RenderContext<State>, store: Store) => Closable,
) {
  return () => {
    let store: Store | undefined;
    let views = 0;
    let leaving: ReturnType<typeof setTimeout> | undefined;
    return {
      initialize({ model, signal }: { model: WidgetModel<State>; signal?: AbortSignal }) {
        const created = createStore(model as unknown as WidgetModel);
        store = created;
        signal?.addEventListener("abort", () => {
          clearTimeout(leaving);
          created.close();
        });
      },
      render(context: RenderContext<State>) {
        store ??= createStore(context.model as unknown as WidgetModel);
        const { client } = store;
        const view = createView(context, store);
        views += 1;
        clearTimeout(leaving);
        return () => {
          view.close();
          views -= 1;
          if (!views) leaving = setTimeout(() => client.leave(), LEAVE_DELAY);
        };
      },
    };
  };
}
