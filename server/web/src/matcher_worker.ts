/** The other side of matcher.ts: matches in a thread of its own, which can be ended. */

import { matched } from "./lib/search";
import type { Question } from "./matcher";

let values: readonly string[] = [];

self.onmessage = ({ data }: MessageEvent<Question>) => {
  values = data.values ?? values;
  const found = matched(values, new RegExp(data.source, data.flags));
  self.postMessage(found, { transfer: [found.buffer] });
};
