/** Showing a photograph or a unit in another widget of the same service, and being shown by one. */
import { canEmbed, type EmbeddedView, embedView } from "../kernel/embedding.ts";
import { errorMessage } from "../kernel/errors.ts";
import type { WidgetModel } from "../kernel/model.ts";
import type { AnyStore } from "../kernel/store.ts";
import { h } from "./dom.ts";

const SAME_USE = 300; // ms; a click also moves the focus

export type ShownIn = "LayerExplorer" | "OcclusionExplorer" | "TransferPanel" | "EvaluationPanel";

/** What to show: a part of the other widget's state. */
export interface ShowRequest {
  state: Record<string, unknown>;
  /** A photograph that this widget's part in the kernel knows by this reference. It is handed over with its name and its label. */
  photograph?: Record<string, unknown>;
  /** Of a widget on two services: the one whose model is shown. */
  side?: "a" | "b";
  /** Of an ablation study: the variant and the seed whose network is shown; null: the first seed that is complete. */
  run?: [variant: string, seed: number | null];
}

interface ShowReply {
  /** Whether an open widget has shown it, one was made, or there is none. */
  where: "open" | "made" | "none";
  /** The id of the one that was made. */
  model: string | null;
}

/** What is used of a view. */
interface ShowingView {
  readonly root: HTMLElement;
  /** The parent of the root. */
  readonly container: HTMLElement;
  readonly model: Pick<WidgetModel, "widget_manager">;
  readonly store: AnyStore;
  showStatus(text: string): void;
  onUserAction(): void;
  readonly presentation: { leave(): void };
  focusMain(): void;
}

/** The part of each view that shows things in other widgets, and is shown by them. */
export class Showing {
  private readonly below = new Map<ShownIn, { place: HTMLElement; view: EmbeddedView | null }>();
  private readonly stopListening: () => void;
  private lastUse = Number.NEGATIVE_INFINITY;

  constructor(private readonly view: ShowingView) {
    const { root, store } = view;
    const entered = ({ target, relatedTarget }: FocusEvent) => {
      if (target instanceof Node && !(relatedTarget instanceof Node && root.contains(relatedTarget))) this.used();
    };
    root.addEventListener("focusin", entered);
    root.addEventListener("pointerdown", () => store.usedView !== view && this.used());
    this.stopListening = store.client.listen({
      event: ({ event, token }) => event === "show" && store.usedView === view && this.reveal(token ?? ""),
    });
    this.used();
  }

  close(): void {
    this.stopListening();
    for (const kind of [...this.below.keys()]) this.closeBelow(kind);
  }

  /** Show something in the most recently used widget of a class, or in one that is opened below this view. */
  async show(kind: ShownIn, request: ShowRequest): Promise<void> {
    const { view } = this;
    view.onUserAction();
    const opening = `Opening the ${kind}…`;
    view.showStatus(opening);
    try {
      const fields = { widget: kind, embeds: canEmbed(view.model), ...request };
      const reply = await view.store.client.request<ShowReply>("show", fields, { policy: "once", lane: "work" });
      if (!reply) return;
      const { where, model } = reply.content;
      view.presentation.leave(); // it covers the other widgets
      if (where === "made" && model !== null) await this.showBelow(kind, model);
      view.showStatus(where === "none" ? `Open one in another cell, and try again: dw.${kind}(service)` : `Shown in the ${kind}.`);
    } catch (error) {
      view.showStatus(errorMessage(error));
    }
  }

  /**
   * Show why the model predicts what it does for a photograph.
   *
   * @param image "crop:17" of the service's image set, or a reference by which this widget's part in the kernel knows a photograph
   * @param classes the names of the class to explain and of the one to compare it with; null: the predicted and the true class
   */
  why(image: string | Record<string, unknown>, classes: { target: string | null; against: string | null } | null = null): Promise<void> {
    // The answer in question is that to the whole photograph: a patch would change it.
    const state = { ...(classes ?? { target: null, against: null }), tab: "why", patches: [] };
    return this.show("OcclusionExplorer", typeof image === "string" ? { state: { ...state, image } } : { state, photograph: image });
  }

  private used(): void {
    const { view } = this;
    const now = performance.now();
    if (view.store.usedView === view && now - this.lastUse < SAME_USE) return;
    this.lastUse = now;
    view.store.usedView = view;
    view.store.client.tell("used");
  }

  /** Scroll into sight on request of another widget, unless the page does not show this view, and take the focus. */
  private reveal(token: string): void {
    const { view } = this;
    if (!view.root.isConnected || !view.root.checkVisibility()) return;
    view.store.client.tell("shown", { token });
    scrollIntoSight(view.root);
    view.focusMain();
  }

  private async showBelow(kind: ShownIn, id: string): Promise<void> {
    this.closeBelow(kind);
    const close = () => {
      this.closeBelow(kind);
      this.view.focusMain();
    };
    const properties = { type: "button", "aria-label": `Close the ${kind}`, title: "Close", onclick: close };
    const bar = h("div", { class: "dwx-below-bar" }, h("span", {}, `${kind}, opened from the widget above`), h("button", properties, "×"));
    const place = h("div", { class: "dwx-below", "data-testid": "below" }, bar);
    const entry: { place: HTMLElement; view: EmbeddedView | null } = { place, view: null };
    this.below.set(kind, entry);
    this.view.container.append(place);
    entry.view = await embedView(this.view.model, id);
    if (this.below.get(kind) !== entry) {
      entry.view.remove(); // closed meanwhile
      return;
    }
    place.append(entry.view.element);
    await appearance(place);
    scrollIntoSight(place);
    const root = place.querySelector<HTMLElement>(".dwx");
    if (root) focusOnce(root);
  }

  private closeBelow(kind: ShownIn): void {
    const entry = this.below.get(kind);
    this.below.delete(kind);
    entry?.view?.remove();
    entry?.place.remove();
  }
}

/** Move the focus to an element that is not focusable otherwise. */
export function focusOnce(element: HTMLElement): void {
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  element.addEventListener("blur", () => element.removeAttribute("tabindex"), { once: true });
}

function scrollIntoSight(element: HTMLElement): void {
  element.scrollIntoView({ block: "start", behavior: "instant" });
}

const APPEARANCE_TIMEOUT = 5000; // ms; its module has to be loaded

/** Resolve when a widget is drawn in an element. */
function appearance(place: HTMLElement): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      observer.disconnect();
      clearTimeout(timer);
      resolve();
    };
    const observer = new MutationObserver(() => place.querySelector(".dwx") && done());
    const timer = setTimeout(done, APPEARANCE_TIMEOUT);
    observer.observe(place, { childList: true, subtree: true });
    if (place.querySelector(".dwx")) done();
  });
}
