/** The answer of `/api/v1/flamegraph`, read with suspicion: columns must fit each other. */

import { type PackedNodes, split, unpack } from "./packed";
import { buildTree, type Frame, type FrameTree, type Kind, type NodeColumns } from "./tree";

/** The form in which nodes take a third of the bytes before gzip, and less time to read. */
export const PACKED = "application/vnd.profiler.flamegraph";

export interface Loss {
  readonly cause: string;
  readonly samples: number;
}

/** What the collectors of the selected hosts took, and where it went. */
export interface Accounts {
  readonly taken: number;
  readonly stored: number;
  readonly losses: readonly Loss[];
}

export interface Coverage {
  readonly hosts: number;
  readonly series: number;
  readonly profiles: number;
  readonly recorded: boolean;
}

export interface FlamegraphAnswer {
  readonly profileType: string;
  readonly unit: string;
  readonly tree: FrameTree;
  /** nodes that the limit of nodes cut off */
  readonly hidden: number;
  readonly samples: number;
  /** the node that was zoomed to: 0 where none was, -1 where that has no samples */
  readonly zoom: number;
  /** samples whose stack is cut short, by cause, those of nodes that were cut off included */
  readonly incomplete: readonly Loss[];
  readonly accounts: Accounts;
  readonly coverage: Coverage;
}

export class PayloadError extends Error {}

const VERSION = 1;

interface FrameColumns {
  function: number[];
  file: number[];
  line: number[];
  binary: number[];
  build_id: number[];
  address: string[];
  kind: Kind[];
}

interface PayloadOf<Nodes> {
  version: number;
  profile_type: string;
  unit: string;
  strings: string[];
  frames: FrameColumns;
  nodes: Nodes;
  zoom?: number;
  hidden: { nodes: number };
  total: { value: number; samples: number };
  incomplete: Loss[];
  accounts: Accounts;
  coverage: Coverage;
}

type Payload = PayloadOf<NodeColumns>;

/** Throws PayloadError where the answer is not what docs/reference/http-api.md promises. */
export function decode(json: unknown): FlamegraphAnswer {
  const payload = checked<Payload>(json);
  sameLength("nodes", payload.nodes);
  return read(payload, payload.nodes);
}

/** The same of the packed form. */
export function decodePacked(bytes: Uint8Array): FlamegraphAnswer {
  const { json, columns } = split(bytes);
  const payload = checked<PayloadOf<PackedNodes>>(json);
  return read(payload, unpack(payload.nodes, columns));
}

function checked<P extends PayloadOf<unknown>>(json: unknown): P {
  const payload = json as P;
  if (payload?.version !== VERSION) {
    throw new PayloadError(
      `flamegraph: expected version ${VERSION}, got ${payload?.version}; reload the page`,
    );
  }
  return payload;
}

function read(payload: PayloadOf<unknown>, nodes: NodeColumns): FlamegraphAnswer {
  const frames = readFrames(payload);
  checkDepths(nodes.depth);
  checkFrames(nodes.frame, frames.length);
  return {
    profileType: payload.profile_type,
    unit: payload.unit,
    tree: buildTree(frames, nodes),
    hidden: payload.hidden.nodes,
    samples: payload.total.samples,
    zoom: payload.zoom ?? 0,
    incomplete: payload.incomplete,
    accounts: payload.accounts,
    coverage: payload.coverage,
  };
}

function readFrames({ frames, strings }: PayloadOf<unknown>): Frame[] {
  sameLength("frames", frames);
  return frames.function.map((name, i) => ({
    function: strings[name] ?? "",
    file: strings[frames.file[i]] ?? "",
    line: frames.line[i],
    binary: strings[frames.binary[i]] ?? "",
    buildId: strings[frames.build_id[i]] ?? "",
    address: frames.address[i],
    kind: frames.kind[i],
  }));
}

function sameLength(name: string, columns: object): void {
  const lengths = Object.values(columns).map((column) => column.length);
  if (new Set(lengths).size > 1) {
    throw new PayloadError(`flamegraph: columns of ${name} differ in length: ${lengths}`);
  }
}

function checkDepths(depth: ArrayLike<number>): void {
  for (let node = 0, before = -1; node < depth.length; before = depth[node++]) {
    const fits = node === 0 ? depth[0] === 0 : depth[node] >= 1 && depth[node] <= before + 1;
    if (!fits) throw new PayloadError(`flamegraph: nodes.depth[${node}] is ${depth[node]}`);
  }
}

function checkFrames(frame: ArrayLike<number>, count: number): void {
  for (let node = 1; node < frame.length; node++) {
    const fits = frame[node] >= 0 && frame[node] < count;
    if (!fits) throw new PayloadError(`flamegraph: nodes.frame[${node}] is ${frame[node]}`);
  }
}
