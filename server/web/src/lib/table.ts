/** The top table: rows in the order and of the names that are asked for. */

import type { Kind } from "./tree";
import type { PageState } from "./url";

export interface FunctionRow {
  readonly function: string;
  readonly file: string;
  readonly binary: string;
  readonly kind: Kind;
  readonly self: number;
  readonly total: number;
  readonly self_samples: number;
  readonly total_samples: number;
}

type Sort = Pick<PageState, "sort" | "descending">;

/** Equal costs by the other cost: threads wait in one function, and what leads there is of interest. */
export function sortRows(rows: readonly FunctionRow[], { sort, descending }: Sort): FunctionRow[] {
  const sign = descending ? -1 : 1;
  const byName = (a: FunctionRow, b: FunctionRow) => compare(a.function, b.function);
  if (sort === "name") return [...rows].sort((a, b) => sign * byName(a, b));
  const other = sort === "self" ? "total" : "self";
  return [...rows].sort(
    (a, b) => sign * (a[sort] - b[sort] || a[other] - b[other]) || byName(a, b),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Rows whose function, file or binary holds `text`, in any case. */
export function filterRows(rows: readonly FunctionRow[], text: string): readonly FunctionRow[] {
  const low = text.trim().toLowerCase();
  if (low === "") return rows;
  return rows.filter((row) =>
    [row.function, row.file, row.binary].some((field) => field.toLowerCase().includes(low)),
  );
}
