import { isConnected } from "../kernel/connection.ts";
import type { WidgetModel } from "../kernel/model.ts";
import type { AnyStore } from "../kernel/store.ts";
import { h } from "./dom.ts";

const RUN = "Run the notebook to use it.";

interface Options {
  model: WidgetModel;
  store: AnyStore;
  /** The name of the widget. */
  label: string;
  /** What the picture takes the place of. */
  frame: HTMLElement;
}

/** The picture that was saved with the state, which is shown in place of the widget where there is no kernel. */
export class SavedPicture {
  readonly element: HTMLElement;
  private readonly caption = h("figcaption");
  /** Whether the page has no kernel; undefined if that is not known. */
  private offline: boolean | undefined;
  private made = false;
  private readonly stopListening: () => void;

  constructor(private readonly options: Options) {
    this.element = h("figure", { class: "dwx-picture", "data-testid": "picture", hidden: true }, this.caption);
    const { model, store } = options;
    const find = () => void this.findKernel();
    model.on("comm_live_update", find);
    // A front end that does not tell is taken to have no kernel when the first reply is overdue. The next reply proves it wrong.
    const removeListener = store.client.listen({ slow: (slow) => slow && this.setOffline(this.offline ?? this.hasPicture) });
    this.stopListening = () => {
      model.off("comm_live_update", find);
      removeListener();
    };
    find();
  }

  close(): void {
    this.stopListening();
  }

  /** Show the picture until the kernel replies. */
  update(): void {
    const shown = this.offline === true && !this.options.store.hello;
    if (shown) this.make();
    this.options.frame.hidden = shown;
    this.element.hidden = !shown;
  }

  private get hasPicture(): boolean {
    return Boolean(this.options.model.get("_picture")?.byteLength);
  }

  private async findKernel(): Promise<void> {
    const connected = await isConnected(this.options.model);
    if (connected === undefined) return;
    if (connected && this.offline) void this.options.store.fetchOverview();
    this.setOffline(!connected);
  }

  private setOffline(offline: boolean): void {
    this.offline = offline;
    this.update();
  }

  private make(): void {
    if (this.made) return;
    this.made = true;
    const { label, model } = this.options;
    const data = model.get("_picture");
    this.caption.textContent = `${this.hasPicture ? `A picture of the ${label.toLowerCase()}.` : "No picture was saved."} ${RUN}`;
    if (data && this.hasPicture) this.element.append(h("img", { src: toDataUrl(data), alt: label }));
  }
}

/** Return a JPEG as a data URL, which, unlike one of a blob, is part of a page that the browser saves. */
function toDataUrl(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `data:image/jpeg;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}
