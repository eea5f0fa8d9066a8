/** What is known of the selected frame: what it is, what it and its function cost, where and when. */

import type { ComponentChildren } from "preact";
import type { FunctionAnswer, Selection } from "../answers";
import { groupColour, type Theme } from "../lib/colour";
import { basename, counted, digits, share, value } from "../lib/format";
import { rate, rateOf } from "../lib/rate";
import { exactly } from "../lib/search";
import { format, parse, withMatcher } from "../lib/selector";
import { ancestors, type Frame, type FrameTree, frameOf, ROOT } from "../lib/tree";
import type { PageState } from "../lib/url";
import { Bars } from "./bars";
import { nodeName } from "./breadcrumb";
import { Copy } from "./copy";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Sparkline } from "./sparkline";

interface Props {
  readonly tree: FrameTree;
  /** of the tree, where one is selected and not only a function */
  readonly node: number;
  readonly answer: FunctionAnswer | null;
  readonly labels: readonly string[];
  readonly selection: Selection;
  readonly state: PageState;
  readonly theme: Theme;
  readonly navigate: Navigate;
}

export function FrameSheet(props: Props) {
  const { tree, node, state } = props;
  if (!state.function) {
    return (
      <p class="sheet-hint muted">
        Select a frame in the flamegraph or a function in the table: what is known of it stands
        here.
      </p>
    );
  }
  const frame = frameOf(tree, node);
  return (
    <div class="sheet">
      <h2>
        {frame && (
          <span class="swatch" style={{ background: groupColour(frame.kind, props.theme) }} />
        )}
        {state.function}
      </h2>
      <Actions {...props} />
      <Facts frame={frame} state={state} />
      {node > ROOT && <Here {...props} />}
      {props.answer && <Everywhere {...props} answer={props.answer} />}
    </div>
  );
}

function Actions({ tree, node, state, navigate }: Props) {
  const stack = ancestors(tree, node)
    .slice(1)
    .map((one) => nodeName(tree, one))
    .join(";");
  return (
    <div class="sheet-actions">
      <button type="button" class="small" onClick={() => navigate({ tab: "sandwich" })}>
        Callers and callees
      </button>
      <button
        type="button"
        class="small"
        onClick={() => navigate({ search: exactly(state.function) })}
      >
        Search
      </button>
      <Copy name="Copy frame" text={state.function} />
      {node > ROOT && <Copy name="Copy stack" text={stack} />}
    </div>
  );
}

function Facts({ frame, state }: { frame: Frame | null; state: PageState }) {
  const line = frame?.line ? `:${frame.line}` : "";
  const facts: readonly (readonly [string, string])[] = [
    ["File", state.file && `${state.file}${line}`],
    ["Binary", state.binary],
    ["Build-id", frame?.buildId ?? ""],
    ["Address", frame && Number(frame.address) ? frame.address : ""],
    ["Kind", frame?.kind ?? ""],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, text]) =>
        text ? (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={name === "Kind" ? "" : "mono"}>{text}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

function Part({ title, children }: { title: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="sheet-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

interface Numbers {
  readonly self: number;
  readonly total: number;
}

function Costs({ of, whole, unit, ms, type }: CostsProps) {
  const { unit: per } = rateOf(type, unit);
  return (
    <table class="costs">
      <tbody>
        {(["self", "total"] as const).map((each) => (
          <tr key={each}>
            <th scope="row">{each === "self" ? "Self" : "Total"}</th>
            <td class="strong">{share(of[each], whole)}</td>
            <td>{value(of[each], unit)}</td>
            <td>
              {digits(rate(of[each], ms, unit))} {per}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface CostsProps {
  readonly of: Numbers;
  readonly whole: number;
  readonly unit: string;
  readonly type: string;
  readonly ms: number;
}

const typeOf = (state: PageState): string => parse(state.query)?.type ?? "";

function Here({ tree, node, answer, selection, state }: Props) {
  const numbers = { self: tree.self[node], total: tree.total[node] };
  return (
    <Part title={`This stack, ${counted(tree.samples[node], "sample")}`}>
      <Costs
        {...{ of: numbers, whole: tree.total[ROOT], ms: selection.to - selection.from }}
        unit={answer?.unit ?? "nanoseconds"}
        type={typeOf(state)}
      />
    </Part>
  );
}

function Everywhere(props: Props & { readonly answer: FunctionAnswer }) {
  const { answer, selection, state } = props;
  const ms = selection.to - selection.from;
  return (
    <>
      <Part title={`The function in every stack, ${counted(answer.total_samples, "sample")}`}>
        <Costs
          {...{ of: answer, whole: answer.everything.value, unit: answer.unit, ms }}
          type={typeOf(state)}
        />
      </Part>
      <Trend answer={answer} type={typeOf(state)} />
      <ByLabel {...props} ms={ms} />
      <Lines answer={answer} />
    </>
  );
}

function Trend({ answer: { trend, unit }, type }: { answer: FunctionAnswer; type: string }) {
  if (!trend || trend.times.length < 2) return null;
  const rates = trend.total.map((total) => rate(total, trend.step, unit));
  const most = Math.max(...rates);
  return (
    <Part title={`Total over the range, at most ${digits(most)} ${rateOf(type, unit).unit}`}>
      <Sparkline values={rates} most={most} />
    </Part>
  );
}

type ByProps = Props & { readonly answer: FunctionAnswer; readonly ms: number };

function ByLabel({ answer, labels, state, navigate, ms }: ByProps) {
  const { groups = [], groups_total = 0, unit } = answer;
  const names = labels.includes(state.label) ? labels : [state.label, ...labels];
  const per = rateOf(typeOf(state), unit).unit;
  const selector = parse(state.query);
  const only = (value: string) =>
    selector &&
    navigate({ query: format(withMatcher(selector, { name: state.label, op: "=", value })) });
  const title = (
    <>
      Share of the total by{" "}
      <label class="select small">
        <select
          aria-label="Share by"
          value={state.label}
          onChange={(event) => navigate({ label: event.currentTarget.value }, "replace")}
        >
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <Icon name="down" />
      </label>
    </>
  );
  return (
    <Part title={title}>
      <Bars
        label={`Share by ${state.label}`}
        bars={groups.map(({ label_value, everything, total }) => ({
          key: label_value,
          name: (
            <button type="button" class="plain" onClick={() => only(label_value)}>
              {label_value || "(none)"}
            </button>
          ),
          ...{ part: total, whole: everything.value },
          note: `${digits(rate(total, ms, unit))} ${per}`,
          title: `${value(total, unit)} of ${value(everything.value, unit)}`,
        }))}
      />
      {groups_total > groups.length && (
        <p class="hint">and {groups_total - groups.length} more values</p>
      )}
    </Part>
  );
}

const LINES = 20;

function Lines({ answer: { lines, lines_total, self, total, unit } }: { answer: FunctionAnswer }) {
  if (!lines.some(({ line }) => line > 0)) return null;
  return (
    <Part title={self > 0 ? "Self by line" : "Total by line"}>
      <Bars
        label="Lines"
        bars={lines.slice(0, LINES).map((one) => ({
          key: `${one.file}:${one.line}`,
          name: (
            <span class="mono">
              {basename(one.file)}
              {one.line > 0 && `:${one.line}`}
            </span>
          ),
          part: self > 0 ? one.self : one.total,
          whole: self > 0 ? self : total,
          note: value(self > 0 ? one.self : one.total, unit),
          title: `${one.file}:${one.line}: self ${value(one.self, unit)}, total ${value(one.total, unit)}`,
        }))}
      />
      {lines_total > LINES && <p class="hint">and {lines_total - LINES} more lines</p>}
    </Part>
  );
}
