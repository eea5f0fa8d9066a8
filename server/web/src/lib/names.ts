/** Function names in little room: what tells most stays longest. */

import type { Frame } from "./tree";

/**
 * `name` in at most `room` characters, "" where that would say nothing.
 *
 *     std::vector<int>::push_back(int const&)  →  std::vector::push_back  →  push_back  →  push_b…
 */
export function shorten(name: string, room: number): string {
  if (name.length <= room) return name;
  if (room < 3) return "";
  const bare = withoutArguments(name);
  if (bare.length <= room) return bare;
  const last = bare.split("::").pop() || bare;
  return last.length <= room ? last : `${last.slice(0, room - 1)}…`;
}

const PYTHON =
  /(?:(?:site|dist)-packages|lib\/python[\d.]+(?!\/(?:site|dist)-packages))\/([^/]+?)(?:\.py)?(?:\/|$)/;

const SCOPE = /^<?&?(?:mut )?(\w+)::/;

/** What a frame's code belongs to: `net/http`, `std`, `numpy`, `libc`; "" where nothing says. */
export function packageOf({ function: name, file, binary, kind }: Frame): string {
  if (kind === "python") return PYTHON.exec(file)?.[1] ?? file.split("/").at(-2) ?? "";
  const bare = withoutArguments(name);
  const scope = (SCOPE.exec(name) ?? SCOPE.exec(bare))?.[1];
  if (scope) return scope;
  const go = /^((?:[\w.-]+\/)*[\w-]+)\.[(\w]/.exec(name)?.[1];
  if (go && !name.startsWith("[")) return go;
  return (binary.split("/").pop() ?? "").replace(/\.so[\d.]*$/, "");
}

/** Drops what stands in <…> and (…), but not a name that begins with it: `<module>`, `[unknown] …`. */
function withoutArguments(name: string): string {
  if (!name.includes("::") && !name.includes("(")) return name;
  let depth = 0;
  let kept = "";
  for (const letter of name.replaceAll("(anonymous namespace)::", "")) {
    const opens = letter === "<" || letter === "(";
    if (opens) depth++;
    if (depth === 0) kept += letter;
    if (letter === ">" || letter === ")") depth = Math.max(0, depth - 1);
  }
  return kept.replace(/\s*const$/, "") || name;
}
