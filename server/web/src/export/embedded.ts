/** What an exported file shows: the packed form, gzip and base64, in an element of the file. */

import { decodePacked, type FlamegraphAnswer } from "../lib/payload";

export async function embedded(): Promise<FlamegraphAnswer> {
  const text = document.getElementById("flamegraph")?.textContent ?? "";
  const packed = new Blob([decoded(text.trim())]).stream();
  const bytes = new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  return decodePacked(new Uint8Array(await bytes));
}

/** The newest browsers do it themselves, ten times as fast. */
function decoded(base64: string): Uint8Array<ArrayBuffer> {
  const native = Uint8Array as { fromBase64?(text: string): Uint8Array<ArrayBuffer> };
  if (native.fromBase64) return native.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
