/** The data that all views of a DiagnosisPanel share. */
import { decodeImage } from "../kernel/bitmap_cache.ts";
import { toFloat32Array } from "../kernel/buffers.ts";
import { type Lookup, Resource } from "../kernel/resource.ts";
import { StatusStore } from "../kernel/status_store.ts";
import type {
  Arm,
  Diagnosis,
  FiltersReply,
  HelloReply,
  ImagesReply,
  LayerChoice,
  PhotographReply,
  ShiftedLayer,
  ShiftedReply,
  SpectrumReply,
  Status,
  UnitName,
} from "./wire.ts";

export const FILTER_TILE = 80; // pixels of the sprite, for screens with two device pixels per CSS pixel
export const UNIT_TILE = 92;
const LIMITS = { spectra: 200, photographs: 12, shifted: 400, units: 60 };
const PRIORITY = { shifted: 0, photograph: 1, diagnosis: 4 };

export interface Filters {
  sprite: ImageBitmap;
  tile: number;
  count: number;
}

export interface Spectrum {
  values: Float32Array;
  side: number;
  carried: number;
}

export type Photograph = Omit<PhotographReply, "images"> & { bitmap: ImageBitmap };

export interface ShiftedMaps extends ShiftedLayer {
  maps: [before: Float32Array, after: Float32Array];
}

export type Shifted = Omit<ShiftedReply, "layers"> & { layers: ShiftedMaps[] };

/** The patches and the projections of a unit's strongest activations, as mosaics. */
export interface UnitPictures {
  patches: ImageBitmap;
  projections: ImageBitmap;
}

export class DiagnosisStore extends StatusStore<Status, HelloReply> {
  private readonly diagnoses = new Resource<Diagnosis>(this.client, this.notify, 1);
  private readonly filterSprites = new Resource<Filters>(this.client, this.notify, 1);
  private readonly spectra = new Resource<Spectrum>(this.client, this.notify, LIMITS.spectra);
  private readonly photographs = new Resource<Photograph>(this.client, this.notify, LIMITS.photographs);
  private readonly results = new Resource<Shifted>(this.client, this.notify, LIMITS.shifted);
  private readonly pictures = new Resource<UnitPictures>(this.client, this.notify, LIMITS.units);
  private lastDiagnosis: Diagnosis | undefined;
  private lastFilters: Filters | undefined;

  protected override readonly statusEvent = "diagnosis";

  /** Return an arm; the network as it is if there is none of that number. */
  arm(number: number): Arm | undefined {
    const arms = this.status?.arms ?? [];
    return arms.find(({ arm }) => arm === number) ?? arms[0];
  }

  protected override reset(): void {
    this.results.clear();
    this.pictures.renew();
  }

  override retry(): void {
    for (const one of [this.diagnoses, this.filterSprites, this.spectra, this.photographs, this.results, this.pictures]) one.retry();
  }

  /** Return the diagnosis; while a new one is computed, the one before. */
  diagnosis(): Lookup<Diagnosis> {
    const { status } = this;
    if (status?.phase !== "done") return { value: this.lastDiagnosis, error: undefined };
    const found = this.diagnoses.read(String(status.version), async () => {
      const reply = await this.client.request<{ diagnosis: Diagnosis }>("diagnosis", {}, { fresh: true, priority: PRIORITY.diagnosis });
      return reply?.content.diagnosis;
    });
    this.lastDiagnosis = found.value ?? this.lastDiagnosis;
    return { value: this.lastDiagnosis, error: found.error };
  }

  /** Return the filters of the first layer as one image; while another diagnosis is made, those of the one that is still shown. */
  filters(): Lookup<Filters> {
    if (this.status?.phase !== "done") return { value: this.lastFilters, error: undefined };
    const found = this.filterSprites.read(String(this.status.version), async () => {
      const reply = await this.client.request<FiltersReply>("filters", { tile: FILTER_TILE }, { priority: PRIORITY.diagnosis });
      if (!reply) return null;
      const { images, tile, count } = reply.content;
      return { sprite: await decodeImage(reply.buffers[0], images[0].mime), tile, count };
    });
    this.lastFilters = found.value ?? this.lastFilters;
    return found;
  }

  spectrum(unit: number): Lookup<Spectrum> {
    if (this.status?.phase !== "done") return { value: undefined, error: undefined };
    return this.spectra.read(`${this.status?.version} ${unit}`, async () => {
      const reply = await this.client.request<SpectrumReply>("spectrum", { unit }, { priority: PRIORITY.diagnosis });
      return reply && { ...reply.content, values: toFloat32Array(reply.buffers[0]) };
    });
  }

  /** Return the photograph `step` places after one, which need not be readable. */
  async neighbour(image: string, step: number): Promise<string | undefined> {
    return (await this.client.request<{ image: string }>("neighbour", { image, step }, { fresh: true }))?.content.image;
  }

  photograph(image: string): Lookup<Photograph> {
    return this.photographs.read(image, async () => {
      const reply = await this.client.request<PhotographReply>("photograph", { image }, { priority: PRIORITY.photograph });
      if (!reply) return null;
      const { images, ...content } = reply.content;
      return { ...content, bitmap: await decodeImage(reply.buffers[0], images[0].mime) };
    });
  }

  /** Return what an arm computes of a shifted photograph. Of several requests the newest is sent. */
  shifted(image: string, [right, down]: readonly [number, number], arm: number, layers: LayerChoice): Lookup<Shifted> {
    return this.results.read(`${this.status?.version} ${image} ${right} ${down} ${arm} ${layers}`, async () => {
      const fields = { image, right, down, arm, layers };
      const reply = await this.client.request<ShiftedReply>("shifted", fields, { owner: this.results, priority: PRIORITY.shifted });
      if (!reply) return null;
      const shown = reply.content.layers.map((layer, index): ShiftedMaps => {
        const both = toFloat32Array(reply.buffers[index]);
        return { ...layer, maps: [both.subarray(0, both.length / 2), both.subarray(both.length / 2)] };
      });
      return { ...reply.content, layers: shown };
    });
  }

  /** Return the pictures of a unit's strongest activations. */
  unitPictures([layer, unit]: UnitName): Lookup<UnitPictures> {
    return this.pictures.read(`${layer} ${unit}`, async () => {
      const fields = { layer, unit, tile: UNIT_TILE, rule: "deconvnet", contrast: "tile", parts: ["patches", "projections"] };
      const options = { lane: "background", owner: this.pictures, key: `${layer} ${unit}`, priority: PRIORITY.diagnosis } as const;
      const reply = await this.client.request<ImagesReply>("mosaics", fields, options);
      if (!reply) return null;
      const decoded = reply.content.images.map(({ mime }, index) => decodeImage(reply.buffers[index], mime));
      const [patches, projections] = await Promise.all(decoded);
      return patches && projections ? { patches, projections } : null;
    });
  }
}
