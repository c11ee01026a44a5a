import { createEnlargedView, type Enlarged, type Picture } from "../ui/enlarged_view.ts";
import { formatNumber } from "../ui/format.ts";
import { createWhyButton } from "../ui/why_button.ts";
import { GAP } from "./grid_layout.ts";
import type { LayerStore } from "./store.ts";
import { describeEntry } from "./unit_facts.ts";
import type { EnlargeRequest, LayerState, MosaicRequest, Part } from "./wire.ts";

const SIZE = 480; // CSS pixels of a picture
const PHOTOGRAPH_SIZE = 720;
const COLUMNS = 3;

interface EnlargedContent {
  state: LayerState & { unit: number };
  /** The number of strongest activations. */
  count: number;
  /** The tile size of cached mosaics, which are shown until the enlarged pictures arrive. */
  previewTile: number;
}

interface EnlargedOptions {
  id: string;
  store: LayerStore;
  set: (patch: Partial<LayerState>) => void;
  closed: () => void;
  /** Show why the model predicts what it does for the photograph. */
  why: () => void;
}

/** The selected one of a unit's strongest activations, enlarged. */
export class EnlargedUnit {
  private readonly whyButton: HTMLElement;
  private readonly view: ReturnType<typeof createEnlargedView>;
  private content: EnlargedContent | null = null;
  /** The pictures of the last bitmaps: equal pictures are not drawn again. */
  private readonly pictures = new Map<ImageBitmap, Map<string, Picture>>();

  constructor(private readonly options: EnlargedOptions) {
    const { id, closed, why } = options;
    this.whyButton = createWhyButton({ testid: "enlarged-why", ask: why });
    this.view = createEnlargedView({ id, columns: COLUMNS, move: (rank) => options.set({ rank }), closed, actions: [this.whyButton] });
  }

  get element(): HTMLElement {
    return this.view.element;
  }

  close(): void {
    this.options.store.client.release(this);
  }

  /** Close the dialog. */
  dismiss(): void {
    this.view.close();
  }

  open(): void {
    if (this.content?.count) this.view.open(this.enlarged(this.content));
  }

  update(content: EnlargedContent): void {
    this.content = content;
    if (!this.view.isOpen()) return;
    if (content.count) this.view.update(this.enlarged(content));
    else this.view.close();
  }

  private enlarged({ state, count, previewTile }: EnlargedContent): Enlarged {
    const { store } = this.options;
    const { layer, unit, rank, rule, contrast } = state;
    this.whyButton.hidden = !store.hello?.overview.quantity;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const request: EnlargeRequest = { layer, unit, rank, rule, contrast, size: Math.round(SIZE * ratio) };
    const { value, error } = store.enlarged(this, request);
    const source = store.source(this, { layer, unit, rank, size: Math.round(PHOTOGRAPH_SIZE * ratio) });
    if (value) this.prefetch(request, count);
    const mosaic = { layer, unit, rule, contrast, tile: previewTile };
    const picture = (bitmap: ImageBitmap | null | undefined, part: Part) =>
      bitmap ? this.whole(bitmap) : this.preview(mosaic, part, rank);
    const entry = store.loadedDetail(layer, unit)?.entries[rank];
    const reason = value?.rejectionReason || store.rejectionReason(mosaic) || "";
    return {
      title: `${layer} · unit ${unit} · activation ${rank + 1} of ${count}${entry ? `: ${formatNumber(entry.value)}` : ""}`,
      caption: entry ? `${describeEntry(entry)}${entry.label ? ` · ${entry.source}` : ""}` : "",
      index: rank,
      count,
      projectionTitle: `Projection (${rule})`,
      rejectionReason: reason,
      projection: reason ? undefined : picture(value?.projection, "projections"),
      patch: picture(value?.patch, "patches"),
      sharp: value !== undefined,
      photograph: { source: source.value, map: value?.map, name: entry?.source ?? "" },
      error: error ?? source.error ?? "",
    };
  }

  /** Request the next and the previous activation. */
  private prefetch(request: EnlargeRequest, count: number): void {
    for (const rank of [request.rank + 1, request.rank - 1]) {
      if (rank >= 0 && rank < count) this.options.store.enlarged(this, { ...request, rank }, "background");
    }
  }

  private whole(bitmap: ImageBitmap): Picture {
    return this.part(bitmap, 0, 0, bitmap.width, bitmap.height);
  }

  /** Return the tile of a cached mosaic. */
  private preview(request: MosaicRequest, part: Part, rank: number): Picture | undefined {
    const bitmap = this.options.store.mosaic(request, part);
    const step = request.tile + GAP;
    return bitmap && this.part(bitmap, (rank % COLUMNS) * step, Math.floor(rank / COLUMNS) * step, request.tile, request.tile);
  }

  private part(image: ImageBitmap, left: number, top: number, width: number, height: number): Picture {
    if (this.pictures.size > 8) this.pictures.clear();
    const parts = this.pictures.get(image) ?? new Map<string, Picture>();
    this.pictures.set(image, parts);
    const key = `${left},${top}`;
    const picture = parts.get(key) ?? { image, left, top, width, height };
    parts.set(key, picture);
    return picture;
  }
}
