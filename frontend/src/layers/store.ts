/** The data that all views of a LayerExplorer share. */

import { ContributionStore } from "../contributions/store.ts";
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import { errorMessage } from "../kernel/errors.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { Progress, ServiceEvent } from "../kernel/wire.ts";
import type { FeatureMap } from "../ui/map_overlay.ts";
import { PlotlyLoader } from "../ui/plotly.ts";
import { MosaicStore, REFRESH } from "./mosaic_store.ts";
import { PlaceStore } from "./place_store.ts";
import { UnitQueries } from "./unit_queries.ts";
import type { EnlargedReply, EnlargeRequest, IndexState, Layer, SourceReply, SourceRequest, UnitDetail } from "./wire.ts";

export { PARTS, partsOf } from "./mosaic_store.ts";

/** A source photograph. */
export type Source = Omit<SourceReply, "images"> & { bitmap: ImageBitmap; width: number; height: number };

/** An enlarged activation. */
export interface Enlarged {
  /** Null: the rule cannot be applied. */
  projection: ImageBitmap | null;
  rejectionReason: string;
  patch: ImageBitmap;
  map: FeatureMap;
}

const PRIORITY = { enlarged: 0, detail: 3, source: 5 };
const MAX_SOURCES = 32;
const MAX_ENLARGED = 32;

export class LayerStore extends MosaicStore {
  readonly contributions = new ContributionStore(this.client, this.notify);
  readonly queries = new UnitQueries(this.client, this.notify);
  readonly places = new PlaceStore(this.client, this.notify);
  readonly plotly = new PlotlyLoader(this.client);
  /** The progress of the activation index while it is computed, and the layers that it has. */
  progress: Progress | null = null;
  progressLayers: string[] = [];
  private readonly details = new Resource<UnitDetail>(this.client, this.notify);
  private readonly sources = new Resource<Source>(this.client, this.notify, MAX_SOURCES);
  private readonly enlargedActivations = new Resource<Enlarged>(this.client, this.notify, MAX_ENLARGED);
  private readonly layerLists = new Resource<Layer[]>(this.client, this.notify);

  protected override reset(): void {
    super.reset();
    this.progress = null;
    for (const cache of this.caches) cache.clear();
  }

  override retry(): void {
    super.retry();
    for (const cache of this.caches) cache.retry();
  }

  private get caches() {
    return [this.details, this.sources, this.enlargedActivations, this.layerLists, this.contributions, this.queries, this.places];
  }

  /** The layers whose pass was cancelled. */
  get cancelledLayers(): string[] {
    return this.hello?.index.cancelled ?? [];
  }

  /** End the pass that builds the index, or begin again with what was cancelled. */
  async steerIndex(kind: "cancel_index" | "resume_index"): Promise<void> {
    try {
      const reply = await this.client.request<{ index: IndexState }>(kind, {}, { policy: "once" });
      if (reply && this.hello) this.hello = { ...this.hello, index: reply.content.index };
    } catch (error) {
      this.problem = errorMessage(error);
    }
    this.notify();
  }

  protected override onEvent({ event, progress, layers = [] }: ServiceEvent): void {
    if (event === "contributions") this.contributions.requestAgain();
    if (!progress) return;
    this.progress = progress;
    if (event === "partial") this.renew(layers);
    else this.progressLayers = layers;
    this.notify();
  }

  /** Return all layers of the model. */
  allLayers(): Lookup<Layer[]> {
    return this.layerLists.read("all", async () => (await this.client.request<{ layers: Layer[] }>("all_layers"))?.content.layers);
  }

  /** @param predictions whether the predicted classes of the strongest activations are needed, for which the model is run */
  unitDetail(owner: object, layer: string, unit: number, predictions = true): Lookup<UnitDetail> {
    const key = detailKey(layer, unit, predictions);
    return this.details.read(key, async () => {
      const options = { owner, priority: PRIORITY.detail };
      const fields = { layer, unit, ...(predictions ? {} : { predictions }), ...(this.details.isStale(key) ? REFRESH : {}) };
      const reply = await this.client.request<{ detail: UnitDetail }>("unit_detail", fields, options);
      return reply?.content.detail;
    });
  }

  /** Return the detail of a unit if it is loaded. */
  loadedDetail(layer: string, unit: number, predictions = true): UnitDetail | undefined {
    return this.details.get(detailKey(layer, unit, predictions));
  }

  source(owner: object, request: SourceRequest): Lookup<Source> {
    const { layer, unit, rank, size } = request;
    return this.sources.read(`${layer}|${unit}|${rank}|${size}`, async () => {
      const options = { owner, priority: PRIORITY.source };
      const reply = await this.client.request<SourceReply>("source_image", { ...request }, options);
      if (!reply) return null;
      const { images, box, crop, caption } = reply.content;
      const [{ width, height, mime }] = images;
      return { box, crop, caption, width, height, bitmap: await decodeImage(reply.buffers[0], mime) };
    });
  }

  /** @param lane "background" for an activation that is likely to be enlarged next */
  enlarged(owner: object, request: EnlargeRequest, lane: "urgent" | "background" = "urgent"): Lookup<Enlarged> {
    const key = JSON.stringify(request);
    return this.enlargedActivations.read(key, async () => {
      const options = { owner, lane, priority: PRIORITY.enlarged, key: lane === "urgent" ? "enlarged" : `enlarged ${key}` };
      const reply = await this.client.request<EnlargedReply>("enlarged", { ...request }, options);
      if (!reply) return null;
      const { images, map_shape, extent, rejection_reason } = reply.content;
      const decode = (image: number, buffer: number) => decodeImage(reply.buffers[buffer], images[image]?.mime ?? "");
      const [patch, projection] = await Promise.all([decode(0, 0), images[1] ? decode(1, 2) : null]);
      const map = { values: toFloat32Array(reply.buffers[1]), rows: map_shape[0], cols: map_shape[1], extent };
      return { patch, projection, rejectionReason: rejection_reason, map };
    });
  }

  /** Read the tables and the details of some layers again: there are more crops. */
  private renew(layers: string[]): void {
    this.tables.renew((layer) => layers.includes(layer));
    this.places.renew(layers);
    for (const cache of [this.details, this.sources]) cache.renew((key) => layers.includes(key.split("|")[0] ?? ""));
    this.enlargedActivations.renew((key) => layers.includes((JSON.parse(key) as EnlargeRequest).layer));
  }
}

function detailKey(layer: string, unit: number, predictions: boolean): string {
  return `${layer}|${unit}${predictions ? "" : "|without predictions"}`;
}
