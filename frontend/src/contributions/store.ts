/** What the views of a widget share about contributions of units. */
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import type { KernelClient, Reply, RequestOptions } from "../kernel/client.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import type { EncodedImage } from "../kernel/wire.ts";
import { classCounts, readTable, type Table } from "../layers/unit_table.ts";
import type { Part, TableReply } from "../layers/wire.ts";
import { type AwaitedLookup, AwaitedResource } from "./awaited_resource.ts";
import type {
  ClassContributionsReply,
  Contributions,
  ContributionsRequest,
  Deletion,
  PendingReply,
  Tree,
  UnitClasses,
  UnitMapsReply,
} from "./wire.ts";

const PRIORITY = { contributions: 4, details: 6 };
const LIMIT = 64;
const MAX_MOSAICS = 400;
const MAX_CLASSES = 3;

/** The mosaics of a unit's strongest activations. */
export interface UnitMosaics {
  projections: ImageBitmap | undefined;
  patches: ImageBitmap | undefined;
}

/** The feature maps of units in an image. */
export interface UnitMaps {
  rows: number;
  cols: number;
  /** The area that a map covers, as fractions of the image. */
  extent: number[];
  values: Map<number, Float32Array>;
}

/** The mean contribution of every unit of a layer to a class. */
export interface ClassContributions extends ClassContributionsReply {
  values: Float32Array;
}

export class ContributionStore {
  private readonly photographs: AwaitedResource<Contributions>;
  private readonly curves: AwaitedResource<Deletion>;
  private readonly classes: AwaitedResource<ClassContributions>;
  private readonly units: AwaitedResource<UnitClasses>;
  private readonly trees: AwaitedResource<Tree>;
  private readonly maps: Resource<UnitMaps>;
  private readonly mosaics: Resource<ImageBitmap>;
  private readonly tables: Resource<Table>;
  private readonly names: Resource<string[]>;

  constructor(
    private readonly client: KernelClient,
    changed: () => void,
  ) {
    this.photographs = new AwaitedResource(client, changed, LIMIT);
    this.curves = new AwaitedResource(client, changed, LIMIT);
    this.classes = new AwaitedResource(client, changed, LIMIT);
    this.units = new AwaitedResource(client, changed, MAX_MOSAICS);
    this.trees = new AwaitedResource(client, changed, LIMIT);
    this.maps = new Resource(client, changed, LIMIT);
    this.mosaics = new Resource(client, changed, 2 * MAX_MOSAICS);
    this.tables = new Resource(client, changed);
    this.names = new Resource(client, changed);
  }

  private get awaited(): AwaitedResource<unknown>[] {
    return [this.photographs, this.curves, this.classes, this.units, this.trees] as AwaitedResource<unknown>[];
  }

  private get all(): { retry(): void; clear(): void }[] {
    return [...this.awaited, this.maps, this.mosaics, this.tables, this.names];
  }

  /** Call on the event "contributions". */
  requestAgain(): void {
    for (const resource of this.awaited) resource.requestAgain();
  }

  retry(): void {
    for (const resource of this.all) resource.retry();
  }

  /** Clear everything: the model has changed. */
  clear(): void {
    for (const resource of this.all) resource.clear();
  }

  /** Return the contributions to the answer for a photograph. */
  contributions(owner: object, request: ContributionsRequest): AwaitedLookup<Contributions> {
    const key = JSON.stringify(request);
    return this.photographs.read(key, () =>
      this.fetch<Contributions>("contributions", { request }, { owner, priority: PRIORITY.contributions }),
    );
  }

  /** Return how the answer for a photograph changes as units are switched off. */
  deletion(owner: object, request: ContributionsRequest): AwaitedLookup<Deletion> {
    const key = JSON.stringify(request);
    return this.curves.read(key, () => this.fetch<Deletion>("deletion", { request }, { owner, priority: PRIORITY.details }));
  }

  /** Return the contributions of all units of a layer to a class, by its name. */
  classContributions(owner: object, layer: string, target: string): AwaitedLookup<ClassContributions> {
    return this.classes.read(JSON.stringify([layer, target]), () =>
      this.fetch<ClassContributionsReply, ClassContributions>(
        "class_contributions",
        { layer, target },
        { owner, priority: PRIORITY.contributions },
        ({ content, buffers }) => ({ ...content, values: toFloat32Array(buffers[0]) }),
      ),
    );
  }

  /** Return the names of all classes. */
  classNames(owner: object): Lookup<string[]> {
    return this.names.read(
      "all",
      async () => (await this.client.request<{ classes: string[] }>("classes", {}, { owner }))?.content.classes,
    );
  }

  /** Return the classes that a unit contributes to and against. */
  unitClasses(owner: object, layer: string, unit: number): AwaitedLookup<UnitClasses> {
    return this.units.read(`${layer}|${unit}`, () =>
      this.fetch<UnitClasses>("unit_classes", { layer, unit }, { owner, priority: PRIORITY.details }),
    );
  }

  /** Return what feeds a unit. */
  tree(owner: object, layer: string, unit: number, depth: number, breadth: number): AwaitedLookup<Tree> {
    const fields = { layer, units: [unit], depth, breadth };
    return this.trees.read(JSON.stringify(fields), () => this.fetch<Tree>("tree", fields, { owner, priority: PRIORITY.details }));
  }

  /** Return the feature maps of units in an image. */
  unitMaps(owner: object, request: object, units: number[]): Lookup<UnitMaps> {
    return this.maps.read(JSON.stringify([request, units]), async () => {
      const options = { owner, priority: PRIORITY.details };
      const reply = await this.client.request<UnitMapsReply>("unit_maps", { request, units }, options);
      if (!reply) return null;
      const [rows, cols] = reply.content.map_shape;
      const all = toFloat32Array(reply.buffers[0]);
      const values = new Map(reply.content.units.map((unit, at) => [unit, all.subarray(at * rows * cols, (at + 1) * rows * cols)]));
      return { rows, cols, extent: reply.content.extent, values };
    });
  }

  /** Return the classes of a unit's strongest activations, with their numbers, once they are loaded. */
  topClasses(owner: object, layer: string, unit: number): string {
    const { value: table } = this.tables.read(layer, async () => {
      const reply = await this.client.request<TableReply>("unit_table", { layer }, { owner, priority: PRIORITY.details });
      return reply && readTable(reply.content, reply.buffers);
    });
    const counts = table ? classCounts(table, unit).slice(0, MAX_CLASSES) : [];
    return counts.map(({ name, count }) => (count > 1 ? `${name} ${count}` : name)).join(", ");
  }

  /** Return the mosaics of a unit's strongest activations, with tiles of `tile` pixels, as far as they are loaded: patches come first. */
  unitMosaics(layer: string, unit: number, tile: number): UnitMosaics {
    return {
      patches: this.mosaic(layer, unit, tile, "patches"),
      projections: this.mosaic(layer, unit, tile, "projections"), // none if the layer has no rule
    };
  }

  private mosaic(layer: string, unit: number, tile: number, part: Part): ImageBitmap | undefined {
    return this.mosaics.read(`${part}|${layer}|${unit}|${tile}`, async () => {
      const fields = { layer, unit, tile, rule: "deconvnet", contrast: "tile", parts: [part] };
      const options = { policy: "queue", lane: "background", priority: part === "patches" ? 0 : 1 } as const;
      const reply = await this.client.request<{ images: EncodedImage[] }>("mosaics", fields, options);
      return reply && decodeImage(reply.buffers[0], reply.content.images[0]?.mime ?? "");
    }).value;
  }

  private async fetch<Content extends PendingReply, Value = Content>(
    kind: string,
    fields: Record<string, unknown>,
    options: RequestOptions,
    read: (reply: Reply<Content>) => Value = ({ content }) => content as unknown as Value,
  ): Promise<{ value: Value } | { pending: { done: number; total: number } } | null> {
    const reply = await this.client.request<Content>(kind, fields, { ...options, fresh: true, key: `${kind} ${JSON.stringify(fields)}` });
    if (!reply) return null;
    const { pending } = reply.content;
    return pending ? { pending } : { value: read(reply) };
  }
}
