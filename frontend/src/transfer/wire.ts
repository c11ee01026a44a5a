import { AskingWire, GREETING, SENT_ONCE } from "./asking_wire.js";

const TRANSFER_KINDS = ["hello", "stop", "start", "status", "use", "undo", "load", "save", "data", "run", "photographs", "thumbnails", "chart", "file", "upload"];
const TRANSFER_PATIENCE = {
  hello: GREETING,
  ...Object.fromEntries(["start", "use", "undo", "load", "save", "file", "upload"].map((kind) => [kind, SENT_ONCE])),
};

/** What a view of a TransferPanel asks of the kernel. */
export class TransferWire extends AskingWire {
  /** @param {any} model anywidget's @param {ConstructorParameters<typeof AskingWire>[2]} listeners */
  constructor(model, listeners) {
    super(model, { kinds: TRANSFER_KINDS, patience: TRANSFER_PATIENCE }, listeners);
  }
}
