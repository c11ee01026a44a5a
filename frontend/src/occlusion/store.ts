/** What the views of an OcclusionExplorer fetch, and share. */
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { Store } from "../kernel/store.ts";
import type { ServiceEvent } from "../kernel/wire.ts";
import { PlotlyLoader } from "../ui/plotly.ts";
import { MapRuns } from "./map_runs.ts";
import type { HelloReply, OcclusionRequest, Projection, ProjectionsReply, ResolvedRequest, SceneReply } from "./wire.ts";

/** Priorities of requests in the urgent lane. A map is short and rare; the patch comes right after it, before all that can wait. */
export const PRIORITY = { stopMaps: 1, scene: 2, maps: 3, patch: 4, startMaps: 5, upload: 7 };

const PROJECTION_SIDE = 240; // pixels; as large as the enlarged view shows them
const PROJECTION_TIMES = { timeout: 60_000, attempts: 1 };
const SCENES_KEPT = 8;

/** An image without patches. */
export interface Scene extends Omit<SceneReply["scene"], "images"> {
  image: ImageBitmap;
  /** What a patch shows, wherever it is. */
  fill: ImageBitmap;
  /** Of the feature map. */
  values: Float32Array;
  range: [number, number];
}

export interface Projections {
  entries: Projection[];
  buffers: DataView[];
}

export class OcclusionStore extends Store<HelloReply> {
  readonly plotly = new PlotlyLoader(this.client);
  readonly runs = new MapRuns(this.client);
  private readonly scenes = new Resource<Scene>(this.client, this.notify, SCENES_KEPT);
  private readonly projectionSets = new Resource<Projections>(this.client, this.notify, SCENES_KEPT);

  override close(): void {
    super.close();
    this.runs.close();
  }

  protected override reset(): void {
    this.scenes.clear();
    this.projectionSets.clear();
  }

  override retry(): void {
    this.scenes.retry();
    this.projectionSets.retry();
    this.runs.refreshAll();
  }

  protected override onEvent({ event }: ServiceEvent): void {
    if (event === "occlusion") this.runs.refreshAll();
  }

  scene(owner: object, request: OcclusionRequest): Lookup<Scene> {
    return this.scenes.read(JSON.stringify(request), async () => {
      const reply = await this.client.request<SceneReply>("scene", { request }, { owner, priority: PRIORITY.scene });
      if (!reply) return null;
      const { images, ...scene } = reply.content.scene;
      const decode = (at: 0 | 1) => decodeImage(reply.buffers[at], images[at].mime);
      const [image, fill] = await Promise.all([decode(0), decode(1)]);
      const values = toFloat32Array(reply.buffers[2]);
      return { ...scene, image, fill, values, range: featureMapRange(values) };
    });
  }

  projections(owner: object, request: ResolvedRequest): Lookup<Projections> {
    const { image, layer, unit } = request;
    return this.projectionSets.read(JSON.stringify([image, layer, unit]), async () => {
      const fields = { request, size: PROJECTION_SIDE };
      const options = { owner, lane: "background", priority: 1, ...PROJECTION_TIMES } as const;
      const reply = await this.client.request<ProjectionsReply>("projections", fields, options);
      return reply && { entries: reply.content.entries, buffers: reply.buffers };
    });
  }
}

/** Return the range of a feature map's colours: from 0, or its lowest value if that is lower, to its highest. */
export function featureMapRange(values: Float32Array): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  return [low, low === 0 && high === 0 ? 1 : high];
}
