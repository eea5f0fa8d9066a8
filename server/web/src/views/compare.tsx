/** Chooses what the selection is compared with: an earlier time, or what ran before a deploy. */

import { useState } from "preact/hooks";
import type { Deploy } from "../answers";
import { format, parse } from "../lib/selector";
import { type Range, toText } from "../lib/time";
import type { PageState } from "../lib/url";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Popover } from "./popover";

const DAY_MS = 86_400_000;
const SHOWN = 6;

interface Props {
  readonly state: PageState;
  readonly range: Range | null;
  readonly deploys: readonly Deploy[];
  readonly navigate: Navigate;
}

export function Compare({ state, range, deploys, navigate }: Props) {
  const [open, setOpen] = useState(false);
  const choices = range ? choicesOf(state, range, deploys) : [];
  const choose = (change: Partial<PageState>) => {
    setOpen(false);
    navigate({ ...change, zoom: "", at: "", view: "", search: "" });
  };
  return (
    <Popover
      open={open}
      side="right"
      onClose={() => setOpen(false)}
      button={
        <button type="button" aria-expanded={open} disabled={!range} onClick={() => setOpen(!open)}>
          <Icon name="flip" /> Compare
        </button>
      }
    >
      <ul class="menu">
        {choices.map(({ name, change }) => (
          <li key={name}>
            <button type="button" onClick={() => choose(change)}>
              {name}
            </button>
          </li>
        ))}
      </ul>
    </Popover>
  );
}

interface Choice {
  readonly name: string;
  readonly change: Partial<PageState>;
}

function choicesOf(state: PageState, range: Range, deploys: readonly Deploy[]): Choice[] {
  const { query } = state;
  const earlier = (name: string, ms: number): Choice => ({
    name: `With ${name}`,
    change: {
      ...{ against: query, since: toText(range.from - ms), until: toText(range.to - ms) },
      ...{ from: toText(range.from), to: toText(range.to), live: false },
    },
  });
  return [
    ...deploys.slice(0, SHOWN).map((deploy) => ofDeploy(query, range, deploy)),
    { name: "With as long a time right before", change: { against: query, since: "", until: "" } },
    earlier("the day before", DAY_MS),
    earlier("the week before", 7 * DAY_MS),
  ];
}

/** The version from its deploy on, and what ran for as long before it, on the same hosts. */
function ofDeploy(query: string, range: Range, deploy: Deploy): Choice {
  const length = range.to - deploy.time;
  const version = (value: string) => versioned(query, deploy, value);
  return {
    name: `${deploy.service} ${deploy.version} with ${deploy.previous || "what ran before"}`,
    change: {
      ...{ query: version(deploy.version), from: toText(deploy.time), to: toText(range.to) },
      ...{ against: version(deploy.previous), since: toText(deploy.time - length) },
      ...{ until: toText(deploy.time), live: false },
    },
  };
}

/** Where a version is a build-id, no label has it, and the times alone tell the sides apart. */
function versioned(query: string, { service, executable }: Deploy, version: string): string {
  const selector = parse(query) ?? { type: "cpu", matchers: [] };
  const others = selector.matchers.filter(
    ({ name }) => name !== "service_name" && name !== "service_version",
  );
  const labels = { service_name: service, service_version: executable ? "" : version };
  const mine = Object.entries(labels)
    .filter(([, value]) => value)
    .map(([name, value]) => ({ name, op: "=" as const, value }));
  return format({ ...selector, matchers: [...mine, ...others] });
}
