import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelClient, Message } from "../src/kernel/client.ts";
import { formatMegabytes, uploadFile } from "../src/kernel/upload.ts";

const MIB = 2 ** 20;

/** A fake kernel that receives uploads. */
function makeKernel() {
  const steps: [unknown, unknown][] = [];
  let have = 0;
  const replies: Record<string, Message> = { begin: { upload: "u" }, finish: { data: "/kept" } };
  const request = async (_kind: string, { step, offset }: Message, { buffers = [] as ArrayBuffer[] } = {}) => {
    steps.push([step, offset ?? null]);
    if (step === "chunk") have = Number(offset) + (buffers[0]?.byteLength ?? 0);
    return { content: replies[String(step)] ?? { have }, buffers: [] };
  };
  const client = { request } as unknown as Pick<KernelClient, "request">;
  return { client, steps };
}

const makeFile = (bytes: number) => Object.assign(new Blob([new Uint8Array(bytes)]), { name: "a.zip" });

test("an upload is sent in chunks from the offset that the kernel returns", async () => {
  const { client, steps } = makeKernel();
  const file = makeFile(5 * MIB);
  const seen: number[] = [];
  const options = { progress: (bytes: number) => seen.push(bytes), signal: new AbortController().signal };
  assert.deepEqual(await uploadFile(client, file, options), { data: "/kept" });
  assert.deepEqual(steps, [
    ["begin", null],
    ["chunk", 0],
    ["chunk", 2 * MIB],
    ["chunk", 4 * MIB],
    ["finish", null],
  ]);
  assert.equal(seen.at(-1), file.size);
});

test("cancelling an upload sends a message to the kernel", async () => {
  const { client, steps } = makeKernel();
  const abort = new AbortController();
  const reply = await uploadFile(client, makeFile(5 * MIB), { progress: () => abort.abort(), signal: abort.signal });
  assert.equal(reply, null);
  assert.deepEqual(
    steps.map(([step]) => step),
    ["begin", "chunk", "cancel"],
  );
});

test("sizes in megabytes", () => {
  assert.equal(formatMegabytes(5_240_000), "5.2 MB");
  assert.equal(formatMegabytes(24_000_000), "24 MB");
});
