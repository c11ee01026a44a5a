/** Upload of files to the kernel, in chunks. */
import type { KernelClient } from "./client.ts";
import { UserError } from "./errors.ts";

const CHUNK = 2 * 2 ** 20; // bytes; Jupyter limits websocket messages to 10 MB

export function formatMegabytes(bytes: number): string {
  const size = bytes / 1e6;
  return `${size < 10 ? size.toFixed(1) : size.toFixed(0)} MB`;
}

/**
 * Upload a file. Return the kernel's reply to the last step, null if the upload was cancelled.
 * @param progress called with the number of bytes received by the kernel
 * @param canCancel whether the kernel supports the step "cancel"
 */
export async function uploadFile<Content>(
  client: Pick<KernelClient, "request">,
  file: Blob & { name: string },
  { progress, signal, canCancel = true }: { progress: (bytes: number) => void; signal: AbortSignal; canCancel?: boolean },
): Promise<Content | null> {
  const beginReply = await client.request<{ upload: string }>(
    "upload",
    { step: "begin", name: file.name, size: file.size },
    { policy: "once" },
  );
  if (!beginReply) return null;
  const { upload } = beginReply.content;
  const cancel = async () => (canCancel ? client.request("upload", { step: "cancel", upload }, { policy: "once" }) : null);
  try {
    let received = 0;
    while (received < file.size && !signal.aborted) {
      const chunk = await readChunk(file, received);
      const step = { step: "chunk", upload, offset: received };
      const reply = await client.request<{ have: number }>("upload", step, { policy: "once", buffers: [chunk] });
      if (!reply) return null;
      if (reply.content.have <= received) throw new UserError(`The upload of ${file.name} has stopped. Select the file again.`);
      received = reply.content.have;
      progress(received);
    }
    if (!signal.aborted) {
      const reply = await client.request<Content>("upload", { step: "finish", upload }, { policy: "once", lane: "work" });
      return reply?.content ?? null;
    }
  } catch (error) {
    await cancel().catch(() => null); // report the first error
    throw error;
  }
  await cancel();
  return null;
}

async function readChunk(file: Blob & { name: string }, start: number): Promise<ArrayBuffer> {
  try {
    return await file.slice(start, start + CHUNK).arrayBuffer();
  } catch {
    throw new UserError(`${file.name} cannot be read. Select it again.`);
  }
}
