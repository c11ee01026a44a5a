/** The data that all views of an OcclusionExplorer share. */

import { ContributionStore } from "../contributions/store.ts";
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toBlob, toFloat32Array } from "../kernel/buffers.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import type { FeatureMap, MappedPhotograph } from "../ui/map_overlay.ts";
import { PlotlyLoader } from "../ui/plotly.ts";
import { MapRuns } from "./map_runs.ts";
import type { HelloReply, OcclusionRequest, Projection, ProjectionsReply, ResolvedRequest, SceneReply } from "./wire.ts";

/** Priorities of requests in the urgent lane. Maps are requested rarely and have short replies; patches follow directly after. */
export const PRIORITY = { stopMaps: 1, scene: 2, maps: 3, patch: 4, startMaps: 5, upload: 7 };

const PROJECTION_SIDE = 480; // pixels; the size of the enlarged view
const PROJECTION_TIMEOUT = { timeout: 60_000, attempts: 1 };
const MAX_SCENES = 8;

/** An image without patches. */
export interface Scene extends Omit<SceneReply["scene"], "images"> {
  image: ImageBitmap;
  /** The image that is visible inside patches. */
  fill: ImageBitmap;
  /** The values of the feature map. */
  values: Float32Array;
  range: [number, number];
}

/** The strongest activation in one image. */
export interface ProjectionEntry extends Projection {
  projection: Blob;
  patch: Blob;
  source: MappedPhotograph;
  map: FeatureMap;
}

export class OcclusionStore extends Store<HelloReply> {
  readonly plotly = new PlotlyLoader(this.client);
  readonly runs = new MapRuns(this.client);
  readonly contributions = new ContributionStore(this.client, this.notify);
  private readonly scenes = new Resource<Scene>(this.client, this.notify, MAX_SCENES);
  private readonly projectionSets = new Resource<ProjectionEntry[]>(this.client, this.notify, MAX_SCENES);

  override close(): void {
    super.close();
    this.runs.close();
  }

  protected override reset(): void {
    for (const cache of [this.scenes, this.projectionSets, this.contributions]) cache.clear();
  }

  override retry(): void {
    for (const cache of [this.scenes, this.projectionSets, this.contributions]) cache.retry();
    this.runs.refreshAll();
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "occlusion") this.runs.refreshAll();
    if (event === "contributions") this.contributions.requestAgain();
  }

  scene(owner: object, request: OcclusionRequest): Lookup<Scene> {
    return this.scenes.read(JSON.stringify(request), async () => {
      const reply = await this.client.request<SceneReply>("scene", { request }, { owner, priority: PRIORITY.scene });
      if (!reply) return null;
      const { images, ...scene } = reply.content.scene;
      const decode = (index: 0 | 1) => decodeImage(reply.buffers[index], images[index].mime);
      const [image, fill] = await Promise.all([decode(0), decode(1)]);
      const values = toFloat32Array(reply.buffers[2]);
      return { ...scene, image, fill, values, range: featureMapRange(values) };
    });
  }

  projections(owner: object, request: ResolvedRequest): Lookup<ProjectionEntry[]> {
    const { image, layer, unit } = request;
    return this.projectionSets.read(JSON.stringify([image, layer, unit]), async () => {
      const fields = { request, size: PROJECTION_SIDE };
      const options = { owner, lane: "background", priority: 1, ...PROJECTION_TIMEOUT } as const;
      const reply = await this.client.request<ProjectionsReply>("projections", fields, options);
      return reply && Promise.all(reply.content.entries.map((entry, index) => decodeProjection(entry, reply.buffers.slice(4 * index))));
    });
  }
}

async function decodeProjection(entry: Projection, [projection, patch, image, values]: DataView[]): Promise<ProjectionEntry> {
  const [first, second, { mime, width, height }] = entry.images;
  const [left, top, right, bottom] = entry.box;
  const box = [left / width, top / height, right / width, bottom / height];
  const [rows, cols] = entry.map_shape;
  return {
    ...entry,
    projection: toBlob(projection, first.mime),
    patch: toBlob(patch, second.mime),
    source: { bitmap: await decodeImage(image, mime), width, height, box, crop: null },
    map: { values: toFloat32Array(values), rows, cols, extent: entry.extent },
  };
}

/** Return the range of a feature map's colour scale: its minimum and maximum, extended to include 0. */
export function featureMapRange(values: Float32Array): [number, number] {
  const low = values.reduce((minimum, value) => Math.min(minimum, value), 0);
  const high = values.reduce((maximum, value) => Math.max(maximum, value), 0);
  return [low, low === 0 && high === 0 ? 1 : high];
}
