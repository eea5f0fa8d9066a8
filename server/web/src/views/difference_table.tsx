/** The functions by what they differ by: before, after, and the difference with its interval. */

import { useMemo } from "preact/hooks";
import type { Theme } from "../lib/colour";
import {
  changeColour,
  type DifferenceAnswer,
  type DifferenceCost,
  type DifferenceRow,
  difference,
  relative,
  signed,
} from "../lib/difference";
import { basename, count, digits, share } from "../lib/format";
import { exactly } from "../lib/search";
import type { PageState } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Space, useVisibleRows } from "./top_table";

interface Props {
  readonly answer: DifferenceAnswer;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

export function DifferenceTable({ answer, state, theme, navigate }: Props) {
  const column = state.sort === "total" ? "total" : "self";
  const { filter } = state;
  const rows = useMemo(() => chosenRows(answer, column, filter), [answer, column, filter]);
  const { body, first, visible } = useVisibleRows(rows.length);
  const changed = rows.filter((row) => row[column].change !== "noise").length;
  return (
    <aside class="side" aria-label="Differences">
      <div class="top-panel">
        <header class="top-tools">
          <label class="search-field">
            <Icon name="search" />
            <input
              type="text"
              aria-label="Filter functions"
              placeholder="Filter functions"
              spellcheck={false}
              value={filter}
              onInput={(event) => navigate({ filter: event.currentTarget.value }, "replace")}
            />
          </label>
          <fieldset class="segments" aria-label="Cost">
            {(["self", "total"] as const).map((each) => (
              <button
                key={each}
                type="button"
                aria-pressed={column === each}
                onClick={() => navigate({ sort: each }, "replace")}
              >
                {each === "self" ? "Self" : "Total"}
              </button>
            ))}
          </fieldset>
          <span class="top-count">
            {count(changed)} of {count(answer.functionsTotal)} differ
          </span>
        </header>
        <div class="top-scroll" ref={body}>
          <table class="top differences" aria-rowcount={rows.length + 1}>
            <thead>
              <tr aria-rowindex={1}>
                <th scope="col">Function</th>
                <th scope="col">Before</th>
                <th scope="col">After</th>
                <th scope="col">Difference{answer.per === "cores" && ", cores"}</th>
              </tr>
            </thead>
            <tbody>
              <Space rows={first} />
              {rows.slice(first, first + visible).map((row, i) => (
                <Row
                  key={first + i}
                  index={first + i}
                  row={row}
                  cost={row[column]}
                  per={answer.per}
                  theme={theme}
                  onChoose={() => navigate({ search: exactly(row.function) })}
                />
              ))}
              <Space rows={Math.max(0, rows.length - first - visible)} />
            </tbody>
          </table>
        </div>
      </div>
    </aside>
  );
}

/** What differs by more than chance first, the largest difference first. */
function chosenRows(
  { functions }: DifferenceAnswer,
  column: "self" | "total",
  filter: string,
): DifferenceRow[] {
  const wanted = filter.toLowerCase();
  const size = (row: DifferenceRow) => Math.abs(row[column].after - row[column].before);
  return functions
    .filter((row) => row.function.toLowerCase().includes(wanted))
    .sort(
      (a, b) =>
        Number(a[column].change === "noise") - Number(b[column].change === "noise") ||
        size(b) - size(a),
    );
}

interface RowProps {
  readonly index: number;
  readonly row: DifferenceRow;
  readonly cost: DifferenceCost;
  readonly per: "share" | "cores";
  readonly theme: Theme;
  onChoose(): void;
}

function Row({ index, row, cost, per, theme, onChoose }: RowProps) {
  const amount = (n: number) => (per === "share" ? share(n, 1) : digits(n));
  const noise = cost.change === "noise";
  const place = [row.binary && basename(row.binary), row.file && basename(row.file)];
  return (
    <tr aria-rowindex={index + 2} class={noise ? "noise" : ""} data-change={cost.change}>
      <td class="top-name">
        <button type="button" title={row.function} onClick={onChoose}>
          <span class="swatch" style={{ background: changeColour(cost.change, theme) }} />
          <span class="top-function">{row.function}</span>
          <span class="top-place">
            {row.names.length > 0 ? `was ${row.names[0]}` : place.filter(Boolean).join(" · ")}
            {row.moved_in.length > 0 && ` · moved inside of ${row.moved_in[0].function}`}
          </span>
        </button>
      </td>
      <td title={`${count(cost.samples_before)} samples`}>{amount(cost.before)}</td>
      <td title={`${count(cost.samples)} samples`}>{amount(cost.after)}</td>
      <td class="difference">
        <b>{noise ? signed(cost.after - cost.before, per) : difference(cost, per)}</b>
        <span>
          {noise ? "noise" : `${relative(cost)} · `}
          {!noise && `${signed(cost.low, per)} to ${signed(cost.high, per)}`}
        </span>
      </td>
    </tr>
  );
}
