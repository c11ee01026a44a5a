/** The interface to anywidget. */
import type { AnyModel } from "@anywidget/types";

/** The model of a widget in the page: the synchronized traits, and custom messages. */
export type WidgetModel<State extends object = object> = AnyModel<{
  state: State;
  height: number;
  summary: object;
  /** The id of the model. */
  _comm_id?: string;
  /** A JPEG of what was shown when the cell ran; empty if there was nothing to show. */
  _picture?: ArrayBufferView;
}>;

/** The argument of anywidget's `render`. */
export interface RenderContext<State extends object> {
  model: WidgetModel<State>;
  el: HTMLElement;
}

interface Closable {
  close(): void;
}

interface ClosableStore extends Closable {
  readonly client: { sendGoodbye(): void; tell(kind: string): void };
}

/** Delay in ms of the goodbye after the last view is closed: moving a cell closes its views and opens new ones. */
const GOODBYE_DELAY = 60_000;

/** Return a widget definition for anywidget, which calls it once per model: all views of a model share one store. */
export function defineWidget<State extends object, Store extends ClosableStore>(
  createStore: (model: WidgetModel) => Store,
  createView: (context: RenderContext<State>, store: Store) => Closable,
) {
  return () => {
    let store: Store | undefined;
    let views = 0;
    let goodbyeTimer: ReturnType<typeof setTimeout> | undefined;
    return {
      initialize({ model, signal }: { model: WidgetModel<State>; signal?: AbortSignal }) {
        const newStore = createStore(model as unknown as WidgetModel);
        store = newStore;
        signal?.addEventListener("abort", () => {
          clearTimeout(goodbyeTimer);
          newStore.close();
        });
      },
      render(context: RenderContext<State>) {
        store ??= createStore(context.model as unknown as WidgetModel);
        const { client } = store;
        const view = createView(context, store);
        views += 1;
        clearTimeout(goodbyeTimer);
        return () => {
          view.close();
          views -= 1;
          if (views) return;
          client.tell("hidden");
          goodbyeTimer = setTimeout(() => client.sendGoodbye(), GOODBYE_DELAY);
        };
      },
    };
  };
}
