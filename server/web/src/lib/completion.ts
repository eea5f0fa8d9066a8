/**
 * What can stand at the caret of a selector that is being typed: what to ask the server for, and
 * which characters a suggestion takes the place of.
 *
 *     cpu{service_name="che|    values of service_name that fit `che`, of `cpu`
 */

import { OPERATORS } from "./selector";

export interface Completion {
  readonly wants: "type" | "label" | "operator" | "value" | "nothing";
  /** the selector before this matcher: of what it selects, labels and values are suggested */
  readonly of: string;
  /** the label of the value */
  readonly label: string;
  readonly typed: string;
  /** [from, to) is replaced */
  readonly from: number;
  readonly to: number;
}

const TYPE = /^\s*([a-zA-Z_]\w*)?$/;
const MATCHER = /\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*,/y;
const LABEL = /^\s*(\w*)$/;
const OPERATOR = /^\s*(\w+)\s*([=!~]*)$/;
const VALUE = /^\s*(\w+)\s*(?:=~|!~|!=|=)\s*("?)((?:[^"\\\n]|\\.)*)$/;

export function completionAt(text: string, caret: number): Completion {
  const before = text.slice(0, caret);
  const none = { of: "", label: "", typed: "", from: caret, to: caret };
  const brace = before.indexOf("{");
  if (brace < 0) {
    const typed = TYPE.exec(before)?.[1] ?? "";
    const to = caret + (/^\w*/.exec(text.slice(caret))?.[0].length ?? 0);
    const wants = TYPE.test(before) ? "type" : "nothing";
    return { ...none, wants, typed, from: caret - typed.length, to };
  }
  const start = matcherAt(before, brace + 1);
  const of = `${before.slice(0, start).replace(/,\s*$/, "")}}`.replace("{}", "");
  const rest = before.slice(start);
  const label = LABEL.exec(rest);
  if (label) return { ...none, of, wants: "label", typed: label[1], from: caret - label[1].length };
  const value = VALUE.exec(rest);
  if (value) {
    const [, name, quote, typed] = value;
    const closed = quote && text[caret] === '"' ? 1 : 0;
    const from = caret - typed.length - quote.length;
    return { wants: "value", of, label: name, typed: unescaped(typed), from, to: caret + closed };
  }
  const operator = OPERATOR.exec(rest);
  if (operator) {
    const [, name, typed] = operator;
    return { ...none, wants: "operator", of, label: name, typed, from: caret - typed.length };
  }
  return { ...none, wants: "nothing", of };
}

/** Where the matcher begins in which `text` ends. */
function matcherAt(text: string, from: number): number {
  let at = from;
  for (MATCHER.lastIndex = at; MATCHER.test(text); MATCHER.lastIndex = at) at = MATCHER.lastIndex;
  return at;
}

const unescaped = (text: string): string => text.replace(/\\(["\\])/g, "$1");

/** Those that fit what is typed, those that begin with it first. */
export function fitting(options: readonly string[], typed: string): string[] {
  const low = typed.toLowerCase();
  const fit = options.filter((option) => option.toLowerCase().includes(low));
  const begins = (option: string) => Number(!option.toLowerCase().startsWith(low));
  return fit.sort((a, b) => begins(a) - begins(b));
}

/** The operators that go on from what is typed. */
export const operatorsFrom = (typed: string): string[] =>
  OPERATORS.filter((operator) => operator.startsWith(typed));

/** The text with a suggestion taken, and where the caret then stands: a label goes on with `=`, and
 * a brace that is open is closed behind the caret. */
export function complete(
  text: string,
  at: Completion,
  option: string,
): { readonly text: string; readonly caret: number } {
  const rest = text.slice(at.to);
  const equals = at.wants === "label" && !/^\s*[=!]/.test(rest) ? "=" : "";
  const said = at.wants === "value" ? quoted(option) : option + equals;
  const before = text.slice(0, at.from) + said;
  const open = before.includes("{") && !rest.includes("}");
  return { text: before + rest + (open ? "}" : ""), caret: before.length };
}

const quoted = (value: string): string =>
  `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
