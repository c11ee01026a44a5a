import type { AnyModel } from "@anywidget/types";

/** The widget's model as the page has it: the traits that Python syncs, and messages. */
export type WidgetModel<State extends object = object> = AnyModel<{ state: State; height: number; chart: unknown }>;

/** What anywidget hands to `render`. */
export interface RenderContext<State extends object> {
  model: WidgetModel<State>;
  el: HTMLElement;
}
