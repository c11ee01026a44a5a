import type { KernelClient } from "./client.ts";
import { errorMessage } from "./errors.ts";
import type { UnitFactor } from "./wire.ts";

interface Host {
  readonly client: KernelClient;
  /** The units that the kernel reports; null before the first reply. */
  units: () => UnitFactor[] | null;
  /** Called with the units of a reply, which are newer than the overview. */
  received: (units: UnitFactor[]) => void;
  /** Called with the error message of a change, and with "" at the beginning of one. */
  failed: (message: string) => void;
  changed: () => void;
}

const OPTIONS = { lane: "work" } as const;

/**
 * The factors of the units that are switched off or scaled, for all views of a widget. A change is shown at once, and undone if the kernel
 * refuses it. Changes of one unit are sent one after the other, and only the last of those that wait.
 */
export class UnitFactors {
  private readonly pending = new Map<string, UnitFactor>();

  constructor(private readonly host: Host) {}

  /** Whether there is a model, whose units can be switched off. */
  get known(): boolean {
    return this.host.units() !== null;
  }

  /** Return all units that are off or scaled, with the changes that are not confirmed yet. */
  list(): UnitFactor[] {
    const factors = new Map((this.host.units() ?? []).map((unit) => [keyOf(unit), unit]));
    for (const [key, unit] of this.pending) factors.set(key, unit);
    return [...factors.values()].filter(({ factor }) => factor !== 1);
  }

  /** Return the factor of a unit; 1 if it is not changed. */
  factor(layer: string, unit: number): number {
    const key = keyOf({ layer, unit });
    const known = this.pending.get(key) ?? this.host.units()?.find((other) => keyOf(other) === key);
    return known?.factor ?? 1;
  }

  /** Switch a unit off, or on again. */
  toggle(layer: string, unit: number): void {
    this.set(layer, unit, this.factor(layer, unit) === 0 ? 1 : 0);
  }

  set(layer: string, unit: number, factor: number): void {
    const changed = { layer, unit, factor };
    const key = keyOf(changed);
    this.pending.set(key, changed);
    this.host.changed();
    void this.send("set_units", { units: [[layer, unit, factor]] }, `set_units ${key}`).finally(() => {
      if (this.pending.get(key) === changed) this.pending.delete(key);
      this.host.changed();
    });
  }

  async reset(): Promise<void> {
    await this.send("reset_units", {}, "reset_units");
  }

  /** Load units from a file on the kernel's machine, or save them there. Return a message for the user. */
  async transferFile(kind: "load_units" | "save_units", path: string): Promise<string> {
    const content = await this.send(kind, { path }, kind);
    return content?.message ?? (content ? `Loaded ${path}.` : "");
  }

  private async send(kind: string, fields: Record<string, unknown>, key: string) {
    this.host.failed(""); // of the change before
    try {
      const reply = await this.host.client.request<{ units?: UnitFactor[]; message?: string }>(kind, fields, { ...OPTIONS, key });
      if (reply?.content.units) this.host.received(reply.content.units);
      this.host.changed();
      return reply?.content ?? null;
    } catch (error) {
      this.host.failed(errorMessage(error));
      this.host.changed();
      return null;
    }
  }
}

function keyOf({ layer, unit }: Pick<UnitFactor, "layer" | "unit">): string {
  return `${unit} ${layer}`;
}
