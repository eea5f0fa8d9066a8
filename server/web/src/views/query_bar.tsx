/** Profile type and label filters as chips, or the selector as text; mistakes stand under it. */

import { useState } from "preact/hooks";
import type { ProfileType, Selection } from "../answers";
import { format, parse, withMatcher, withoutMatcher } from "../lib/selector";
import { ApiError } from "../request";
import { FilterEditor } from "./filter_editor";
import { Icon } from "./icons";
import { SelectorText } from "./selector_text";

interface Props {
  readonly selection: Selection | null;
  readonly query: string;
  readonly types: readonly ProfileType[];
  readonly error: Error | null;
  onQuery(query: string): void;
}

export function QueryBar({ selection, query, types, error, onQuery }: Props) {
  const selector = parse(query);
  const [asText, setAsText] = useState(false);
  const mistake = error instanceof ApiError && error.position !== null ? error : null;
  const typed = asText || mistake !== null || selector === null;
  return (
    <div class="query">
      <div class="query-bar">
        {typed || !selector ? (
          <SelectorText {...{ selection, query, types, onQuery }} />
        ) : (
          <>
            <TypeChoice
              type={selector.type}
              types={types}
              onType={(type) => onQuery(format({ ...selector, type }))}
            />
            {selector.matchers.map(({ name, op, value }, i) => (
              <span class="chip" key={`${name}${op}${value}`}>
                <span class="chip-name">{name}</span>
                <span class="chip-op">{op}</span>
                <span class="chip-value">{value === "" ? '""' : value}</span>
                <button
                  type="button"
                  class="chip-remove"
                  aria-label={`Remove the filter ${name}`}
                  onClick={() => onQuery(format(withoutMatcher(selector, i)))}
                >
                  <Icon name="close" />
                </button>
              </span>
            ))}
            <FilterEditor
              selection={selection}
              onAdd={(matcher) => onQuery(format(withMatcher(selector, matcher)))}
            />
          </>
        )}
        <button
          type="button"
          class="ghost query-mode"
          aria-pressed={typed}
          disabled={mistake !== null || selector === null}
          title={typed ? "Show the filters" : "Edit the selector as text"}
          aria-label="Edit the selector as text"
          onClick={() => setAsText(!asText)}
        >
          <Icon name="text" />
        </button>
      </div>
      {mistake && <Mistake query={query} error={mistake} />}
    </div>
  );
}

interface TypeProps {
  readonly type: string;
  readonly types: readonly ProfileType[];
  onType(type: string): void;
}

function TypeChoice({ type, types, onType }: TypeProps) {
  const names = [...new Set([type, ...types.map(({ name }) => name)])];
  return (
    <label class="select query-type">
      <select
        aria-label="Profile type"
        value={type}
        onChange={(event) => onType(event.currentTarget.value)}
      >
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </label>
  );
}

/** The server counts characters, JavaScript UTF-16 units: the caret goes by characters. */
function Mistake({ query, error }: { query: string; error: ApiError }) {
  const before = [...query].slice(0, error.position ?? 0).join("");
  return (
    <div class="mistake" role="alert">
      <pre class="mono">
        {query}
        {"\n"}
        <span class="mistake-blank">{before}</span>
        <span class="mistake-caret">^</span>
      </pre>
      <p>{error.message}</p>
    </div>
  );
}
