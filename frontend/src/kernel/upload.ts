import type { AskingWire } from "./client.ts";
import type { Message } from "./queue.ts";

/* A file's way to the kernel, in chunks. */

const UPLOAD_CHUNK = 2 * 2 ** 20; // bytes; Jupyter's websockets take 10 MB at most

export function megabytes(bytes: number) {
  const size = bytes / 1e6;
  return `${size < 10 ? size.toFixed(1) : size.toFixed(0)} MB`;
}

/**
 * Bring a file to the kernel; gives what the kernel said of it at the end, null where it was cancelled. Rejects in words.
 * @param options `cancels`: the kernel knows the step "cancel"
 */
export async function uploadFile(
  wire: AskingWire,
  file: Blob & { name: string },
  { progress, signal, cancels = true }: { progress: (have: number) => void; signal: AbortSignal; cancels?: boolean },
): Promise<Message | null> {
  const begun = await wire.ask<{ upload: string }>("upload", { step: "begin", name: file.name, size: file.size });
  if (!begun) return null;
  const { upload } = begun.content;
  const ask = (step: string, fields: Record<string, unknown> = {}, buffers: ArrayBuffer[] = []) =>
    wire.ask<Message & { have: number }>("upload", { step, upload, ...fields }, { key: `upload ${upload}`, buffers });
  const cancel = async () => (cancels ? ask("cancel") : null);
  try {
    let have = 0;
    while (have < file.size && !signal.aborted) {
      const chunk = await file.slice(have, have + UPLOAD_CHUNK).arrayBuffer();
      const answer = await ask("chunk", { offset: have }, [chunk]);
      if (!answer) return null;
      if (answer.content.have <= have) throw new Error(`The upload does not go on; choose ${file.name} again.`);
      have = answer.content.have;
      progress(have);
    }
    if (!signal.aborted) return (await ask("finish"))?.content ?? null;
  } catch (error) {
    await cancel().catch(() => null); // what went wrong before is what is told
    throw error;
  }
  await cancel();
  return null;
}
