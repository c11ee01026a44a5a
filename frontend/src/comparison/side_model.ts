/** The model of a widget on two services, as the client of one of them sees it. */
import type { WidgetModel } from "../kernel/model.ts";
import type { Side } from "./wire.ts";

type Listener = (...values: never[]) => void;

/**
 * Return a model whose messages carry a side, and that receives the events of that side only; replies find their client by its id.
 * @param side null: the widget's own requests, and events of neither side
 */
export function sideModel(model: WidgetModel, side: Side | null): WidgetModel {
  const wrapped = new Map<Listener, Listener>();
  const filter = (listener: Listener): Listener => {
    const receive = ((message: { event?: string; side?: string } | null, ...rest: never[]) => {
      if (message?.event && (message.side ?? null) !== side) return;
      (listener as (...values: unknown[]) => void)(message, ...rest);
    }) as Listener;
    wrapped.set(listener, receive);
    return receive;
  };
  const known = {
    send: (content: object, ...rest: never[]) => {
      (model.send as (...values: unknown[]) => void)(side === null ? content : { ...content, side }, ...rest);
    },
    on: (name: string, listener: Listener) => model.on(name as never, (name === "msg:custom" ? filter(listener) : listener) as never),
    off: (name: string, listener: Listener) => {
      model.off(name as never, (wrapped.get(listener) ?? listener) as never);
      if (name === "msg:custom") wrapped.delete(listener);
    },
    get: model.get.bind(model),
    set: model.set.bind(model),
    save_changes: model.save_changes.bind(model),
  };
  return Object.assign(Object.create(model), known) as WidgetModel;
}
