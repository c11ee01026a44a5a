/** The data that all views of two models side by side share: a store for each service, and what compares them. */
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import type { WidgetModel } from "../kernel/model.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { LayerStore } from "../layers/store.ts";
import type { FeatureMap, MappedPhotograph } from "../ui/map_overlay.ts";
import { type Pairs, readPairs } from "./pairs.ts";
import { SidesStore } from "./sides_store.ts";
import type { SimilarityReply } from "./wire.ts";
import {
  type Both,
  type CropReply,
  type CropRequest,
  type PairHello,
  type PairsReply,
  type PairsRequest,
  SIDES,
  type Side,
} from "./wire.ts";

export interface Similarity extends SimilarityReply {
  /** By layer of A, then of B. */
  cka: Float32Array;
}

/** What a unit does on a crop. */
export interface UnitOnCrop {
  photograph: MappedPhotograph;
  map: FeatureMap;
  caption: string;
  value: number;
}

const MAX_CROPS = 64;
const CROP_PRIORITY = 1;

export class PairStore extends SidesStore<LayerStore, PairHello> {
  private readonly similarities = new Resource<Similarity>(this.client, this.notify);
  private readonly pairLists = new Resource<Pairs>(this.client, this.notify);
  private readonly crops: Both<Resource<UnitOnCrop>>;

  constructor(model: WidgetModel) {
    super(model, (own) => new LayerStore(own));
    const cropsOf = (side: Side) => new Resource<UnitOnCrop>(this.sides[side].client, this.notify, MAX_CROPS);
    this.crops = { a: cropsOf("a"), b: cropsOf("b") };
  }

  override retry(): void {
    for (const cache of [this.similarities, this.pairLists, ...SIDES.map((side) => this.crops[side])]) cache.retry();
  }

  /** Return how similar the layers are. It is fetched when the indexes of both are complete. */
  similarity(): Lookup<Similarity> {
    return this.similarities.read("", async () => {
      const reply = await this.client.request<SimilarityReply>("similarity", {}, { lane: "work" });
      return reply && { ...reply.content, cka: toFloat32Array(reply.buffers[0]) };
    });
  }

  /** Return the pairs of two layers. */
  pairs(request: PairsRequest): Lookup<Pairs> {
    return this.pairLists.read(JSON.stringify(request), async () => {
      const reply = await this.client.request<PairsReply>("pairs", { ...request }, { lane: "work", key: JSON.stringify(request) });
      return reply && readPairs(reply.content, reply.buffers);
    });
  }

  /** Return what a unit of one side does on a crop. */
  onCrop(owner: object, side: Side, request: CropRequest): Lookup<UnitOnCrop> {
    const { client } = this.sides[side];
    return this.crops[side].read(JSON.stringify(request), async () => {
      const reply = await client.request<CropReply>("on_crop", { ...request }, { owner, priority: CROP_PRIORITY });
      if (!reply) return null;
      const { images, box, crop, caption, map_shape, extent, value } = reply.content;
      const bitmap = await decodeImage(reply.buffers[0], images[0].mime);
      const { width, height } = images[0];
      const map = { values: toFloat32Array(reply.buffers[1]), rows: map_shape[0], cols: map_shape[1], extent };
      return { photograph: { bitmap, width, height, box, crop }, map, caption, value };
    });
  }

  /** What is shown stays until it is fetched again. */
  protected override sideChanged(side: Side): void {
    this.crops[side].renew();
    this.pairLists.renew();
    this.similarities.renew();
    this.notify();
  }
}
