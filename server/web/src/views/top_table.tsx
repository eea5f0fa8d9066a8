/** Functions by self or total. Rows are drawn as they come into view, so that all can be there. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TopAnswer } from "../answers";
import { isChosen, NOBODY } from "../lib/chosen";
import { groupColour, type Theme } from "../lib/colour";
import { basename, count, counted, digits, share, value } from "../lib/format";
import { rate, rateOf } from "../lib/rate";
import { exactly } from "../lib/search";
import { parse } from "../lib/selector";
import { type FunctionRow, filterRows, sortRows } from "../lib/table";
import type { PageState } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";

const ROW = 40;
/** Rows beyond the visible ones, so that scrolling shows no gap. */
const SPARE = 8;

interface Props {
  readonly answer: TopAnswer;
  /** of the range, for rates */
  readonly ms: number;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

export function TopTable({ answer, ms, state, theme, navigate }: Props) {
  const { sort, descending, filter } = state;
  const per = rateOf(parse(state.query)?.type ?? "", answer.unit).unit;
  const rows = useMemo(
    () => sortRows(filterRows(answer.functions, filter), { sort, descending }),
    [answer, filter, sort, descending],
  );
  const { body, first, visible } = useVisibleRows(rows.length);
  const shown = rows.slice(first, first + visible);
  const order = (by: PageState["sort"]) =>
    navigate({ sort: by, descending: by === sort ? !descending : by !== "name" }, "replace");
  return (
    <section class="top-panel" aria-label="Top functions">
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
        <span class="top-count">{note(rows.length, answer)}</span>
      </header>
      <div class="top-scroll" ref={body}>
        <table class="top" aria-rowcount={rows.length + 1}>
          <thead>
            <tr aria-rowindex={1}>
              {(["name", "self", "total"] as const).map((by) => (
                <Heading key={by} by={by} sort={sort} descending={descending} onSort={order} />
              ))}
            </tr>
          </thead>
          <tbody>
            <Space rows={first} />
            {shown.map((row, i) => (
              <Row
                key={first + i}
                row={row}
                index={first + i}
                answer={answer}
                rateOf={(amount) => `${digits(rate(amount, ms, answer.unit))} ${per}`}
                theme={theme}
                chosen={isChosen(row, state)}
                onChoose={(chosen) => navigate(chosen)}
              />
            ))}
            <Space rows={rows.length - first - shown.length} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Room for rows that are out of view. */
export const Space = ({ rows }: { rows: number }) => (
  <tr class="space" style={{ height: `${rows * ROW}px` }} />
);

function note(shown: number, answer: TopAnswer): string {
  const all = answer.functions_total;
  return shown === all
    ? counted(all, "function")
    : `${count(shown)} of ${counted(all, "function")}`;
}

export function useVisibleRows(count: number) {
  const body = useRef<HTMLDivElement>(null);
  const [window, setWindow] = useState({ first: 0, visible: 40 });
  // fewer rows may have scrolled by
  useEffect(() => {
    const scroller = body.current as HTMLDivElement;
    const look = () => {
      const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
      const visible = Math.ceil(scroller.clientHeight / ROW) + 2 * SPARE;
      setWindow((was) =>
        was.first === first && was.visible === visible ? was : { first, visible },
      );
    };
    const observer = new ResizeObserver(look);
    observer.observe(scroller);
    scroller.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      scroller.removeEventListener("scroll", look);
    };
  }, [count]);
  return { body, ...window };
}

interface HeadingProps {
  readonly by: PageState["sort"];
  readonly sort: PageState["sort"];
  readonly descending: boolean;
  onSort(by: PageState["sort"]): void;
}

function Heading({ by, sort, descending, onSort }: HeadingProps) {
  const name = { name: "Function", self: "Self", total: "Total" }[by];
  const order = descending ? "descending" : "ascending";
  return (
    <th scope="col" aria-sort={by === sort ? order : "none"} class={`top-${by}`}>
      <button type="button" onClick={() => onSort(by)}>
        {name}
        <span class={by === sort ? `arrow ${order}` : "arrow"}>
          <Icon name="down" />
        </span>
      </button>
    </th>
  );
}

interface RowProps {
  readonly row: FunctionRow;
  readonly index: number;
  readonly answer: TopAnswer;
  readonly theme: Theme;
  readonly chosen: boolean;
  rateOf(amount: number): string;
  onChoose(change: Partial<PageState>): void;
}

/** What a click means: this function, here and in the flamegraph; a second one lets go of it. */
function choice(row: FunctionRow, chosen: boolean): Partial<PageState> {
  const { function: name, file, binary } = row;
  if (chosen) return { ...NOBODY, search: "" };
  return { ...{ function: name, file, binary }, at: "", search: exactly(name) };
}

function Row({ row, index, answer, theme, chosen, rateOf, onChoose }: RowProps) {
  const place = [basename(row.binary), row.file && basename(row.file)].filter(Boolean).join(" · ");
  return (
    <tr class={chosen ? "searched" : undefined} aria-rowindex={index + 2}>
      <td class="top-name">
        <button
          type="button"
          title={`${row.function}\n${row.file || row.binary}\nShow in the flamegraph`}
          aria-pressed={chosen}
          onClick={() => onChoose(choice(row, chosen))}
        >
          <span class="swatch" style={{ background: groupColour(row.kind, theme) }} />
          <span class="top-function">{row.function}</span>
          <span class="top-place">{place || row.kind}</span>
        </button>
      </td>
      <Amount name="self" amount={row.self} rate={rateOf(row.self)} answer={answer} />
      <Amount name="total" amount={row.total} rate={rateOf(row.total)} answer={answer} />
    </tr>
  );
}

interface AmountProps {
  readonly name: "self" | "total";
  readonly amount: number;
  readonly rate: string;
  readonly answer: TopAnswer;
}

function Amount({ name, amount, rate, answer: { total, unit } }: AmountProps) {
  const width = `${total.value > 0 ? (100 * amount) / total.value : 0}%`;
  return (
    <td class={`top-${name}`}>
      <div class="amount" title={rate}>
        <span class="amount-share">{share(amount, total.value)}</span>
        <span class="amount-value">{value(amount, unit)}</span>
        <span class="amount-rate">{rate}</span>
        <span class="bar">
          <span style={{ width }} />
        </span>
      </div>
    </td>
  );
}
