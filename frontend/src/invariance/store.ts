/** The data that all views of an InvarianceExplorer share. */
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toBlob, toFloat32Array } from "../kernel/buffers.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { Store } from "../kernel/store.ts";
import type { CurvesReply, HelloReply, InvarianceState, PhotographCurves, UnitPicturesReply, ViewReply } from "./wire.ts";

const MAX_VIEWS = 48;
const MAX_UNIT_SETS = 24;
const PICTURE_SIDE = 96; // pixels of a projection
const BACKGROUND = { lane: "background", priority: 1, timeout: 60_000, attempts: 1 } as const;

/** A transformed photograph. */
export interface View extends Omit<ViewReply["view"], "images"> {
  original: ImageBitmap;
  picture: ImageBitmap;
}

/** The curves of one photograph. */
export interface Curves extends PhotographCurves {
  distances: number[][];
  /** Divided by the norms; null for a layer without any activation. */
  relative: (number | null)[][];
  scores: number[] | null;
  thumbnail: ImageData;
}

/** A unit's projection and patch, as URLs that live as long as the page. */
export interface UnitPicture {
  unit: number;
  projection: Blob | null;
  patch: Blob;
  reason: string;
}

export class InvarianceStore extends Store<HelloReply> {
  /** The pictures of photographs whose curves were computed once. */
  readonly thumbnails = new Map<string, { thumbnail: ImageData; name: string }>();
  private readonly views = new Resource<View>(this.client, this.notify, MAX_VIEWS);
  private readonly curveSets = new Resource<Curves>(this.client, this.notify);
  private readonly unitSets = new Resource<UnitPicture[]>(this.client, this.notify, MAX_UNIT_SETS);

  protected override reset(): void {
    for (const cache of [this.views, this.curveSets, this.unitSets]) cache.clear();
  }

  override retry(): void {
    for (const cache of [this.views, this.curveSets, this.unitSets]) cache.retry();
  }

  view(owner: object, state: InvarianceState): Lookup<View> {
    const request = requestOf(state);
    return this.views.read(JSON.stringify(request), async () => {
      const reply = await this.client.request<ViewReply>("view", { request }, { owner, steady: true });
      if (!reply) return null;
      const { images, ...view } = reply.content.view;
      const decode = (index: 0 | 1) => decodeImage(reply.buffers[index], images[index].mime);
      const [original, picture] = await Promise.all([decode(0), decode(1)]);
      return { ...view, original, picture };
    });
  }

  /** Return the curves of one photograph, if they are known or `fetch` is true. */
  curves(image: string, { transform, layers }: InvarianceState): Lookup<Curves> {
    const key = JSON.stringify([image, transform, layers]);
    return this.curveSets.read(key, async () => {
      const options = { lane: "work", key: `curves ${image}` } as const;
      const reply = await this.client.request<CurvesReply>("curves", { image, transform, layers }, options);
      if (!reply) return null;
      const curves = decodeCurves(reply.content.curves, reply.buffers);
      this.thumbnails.set(image, { thumbnail: curves.thumbnail, name: curves.name });
      return curves;
    });
  }

  unitPictures(owner: object, state: InvarianceState, units: number[]): Lookup<UnitPicture[]> {
    const request = { ...requestOf(state), layers: [] };
    return this.unitSets.read(JSON.stringify([request, units]), async () => {
      const fields = { request, units, size: PICTURE_SIDE };
      const reply = await this.client.request<UnitPicturesReply>("unit_pictures", fields, { owner, ...BACKGROUND });
      return reply?.content.units.map(({ unit, projection, patch, reason }, index) => ({
        unit,
        projection: projection && toBlob(reply.buffers[2 * index], projection.mime),
        patch: toBlob(reply.buffers[2 * index + 1], patch.mime),
        reason,
      }));
    });
  }

  /** Return the pictures of units if they are known. */
  knownUnitPictures(state: InvarianceState, units: number[]): UnitPicture[] | undefined {
    return this.unitSets.get(JSON.stringify([{ ...requestOf(state), layers: [] }, units]));
  }
}

function requestOf({ image, transform, amount, layers, layer }: InvarianceState) {
  return { image, transform, amount, layers, layer };
}

function decodeCurves(content: PhotographCurves, buffers: DataView[]): Curves {
  const { layers, amounts, norms, picture } = content;
  const flat = toFloat32Array(buffers[0]);
  const distances = layers.map((_, row) => [...flat.subarray(row * amounts.length, (row + 1) * amounts.length)]);
  const relative = distances.map((row, index) => {
    const norm = norms[index] ?? 0;
    return row.map((value) => (norm > 0 ? value / norm : null));
  });
  const scores = toFloat32Array(buffers[1]);
  return { ...content, distances, relative, scores: scores.length ? [...scores] : null, thumbnail: toImageData(buffers[2], picture) };
}

/** Return pixels (h, w, 3), uint8, as image data. */
function toImageData(buffer: DataView | undefined, [height, width]: [number, number]): ImageData {
  const data = new ImageData(width, height);
  for (let place = 0; buffer && place < width * height; place++) {
    for (let channel = 0; channel < 3; channel++) data.data[4 * place + channel] = buffer.getUint8(3 * place + channel);
    data.data[4 * place + 3] = 255;
  }
  return data;
}
