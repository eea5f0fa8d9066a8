/** Columns of nodes as bytes; profiler/analysis/packed.py writes and describes them. */

export interface PackedNodes {
  readonly count: number;
  readonly scale: number;
  /** lengths of the columns, in their order */
  readonly bytes: Readonly<Record<"up" | "frame" | "samples" | "extra" | "unsent", number>>;
}

export interface UnpackedNodes {
  readonly depth: Int32Array;
  readonly frame: Int32Array;
  readonly total: Float64Array;
  readonly samples: Float64Array;
  readonly unsent: Float64Array;
}

/** The JSON part of an answer, and what stands behind it. */
export function split(answer: Uint8Array): { json: unknown; columns: Uint8Array } {
  const length = new DataView(answer.buffer, answer.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(answer.subarray(4, 4 + length));
  return { json: JSON.parse(text), columns: answer.subarray(4 + length) };
}

export function unpack({ count, scale, bytes }: PackedNodes, columns: Uint8Array): UnpackedNodes {
  let at = 0;
  const next = (name: keyof PackedNodes["bytes"], entries: number): Float64Array => {
    const column = varints(columns.subarray(at, at + bytes[name]), entries);
    at += bytes[name];
    return column;
  };
  const depth = depths(next("up", count));
  const frame = frames(next("frame", count - 1));
  const samples = next("samples", count);
  const extra = next("extra", count);
  const unsent = next("unsent", count);
  const total = new Float64Array(count);
  for (let node = 0; node < count; node++) {
    const coded = extra[node];
    const beyond = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    total[node] = (samples[node] + beyond) * scale;
    unsent[node] *= scale;
  }
  return { depth, frame, total, samples, unsent };
}

/** LEB128. Numbers beyond 2^53 are the nearest that there is. Where bytes lack, the rest is 0. */
function varints(bytes: Uint8Array, count: number): Float64Array {
  const column = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let byte = bytes[at++];
    let value = byte & 127;
    for (let worth = 128; byte > 127; worth *= 128) {
      byte = bytes[at++];
      value += (byte & 127) * worth;
    }
    column[i] = value;
  }
  return column;
}

function depths(up: Float64Array): Int32Array {
  const depth = new Int32Array(up.length);
  for (let node = 1; node < up.length; node++) depth[node] = depth[node - 1] + 1 - up[node];
  return depth;
}

function frames(back: Float64Array): Int32Array {
  const frame = new Int32Array(back.length + 1);
  frame[0] = -1;
  let next = 0;
  for (let node = 1; node < frame.length; node++) {
    frame[node] = next - back[node - 1];
    if (frame[node] === next) next++;
  }
  return frame;
}
