import { toBlob } from "../kernel/buffers.ts";
import type { KernelClient } from "../kernel/client.ts";
import { h } from "./dom.ts";

/** Save a file as a download. */
export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link); // VS Code saves what is clicked in its document; a click on a detached element does not reach it
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers read the URL some time after the click
}

/** Request a file from the kernel and save it as a download. Return false if the request was dropped, because the widget was closed. */
export async function download(client: KernelClient, kind: string, fields: Record<string, unknown>, name: string): Promise<boolean> {
  const reply = await client.request<{ mime: string }>(kind, fields, { policy: "once", lane: "work" });
  if (reply) saveFile(toBlob(reply.buffers[0], reply.content.mime), name);
  return reply !== null;
}
