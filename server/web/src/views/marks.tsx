/** Deploys over the timeline. Each leads to what its version does. */

import type { Deploy } from "../answers";
import { counted } from "../lib/format";
import { marksOf } from "../lib/marks";
import { format, parse, withMatcher } from "../lib/selector";
import { moment, type Range } from "../lib/time";
import type { PageState } from "../lib/url";
import type { Navigate } from "./page_state";

interface Props {
  readonly deploys: readonly Deploy[];
  readonly range: Range;
  readonly state: PageState;
  readonly navigate: Navigate;
}

/** In a tooltip; the overview and the API have all. */
const SHOWN = 8;

export function Marks({ deploys, range, state, navigate }: Props) {
  return (
    <ul class="marks" aria-label="Deploys">
      {marksOf(deploys, range).map(({ at, deploys: here }) => (
        <li
          key={here[0].time}
          class={at > 0.5 ? "mark mark-right" : "mark"}
          style={{ left: `${100 * at}%` }}
        >
          <button
            type="button"
            aria-label={here.map(told).join("; ")}
            onClick={() => navigate({ query: ofDeploy(state.query, here[0]) })}
          />
          <span class="mark-tip">
            {here.slice(0, SHOWN).map((deploy) => (
              <Told key={`${deploy.service} ${deploy.version}`} deploy={deploy} />
            ))}
            {here.length > SHOWN && <span>and {here.length - SHOWN} more</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}

const nameOf = ({ service, version, executable }: Deploy): string =>
  executable ? `${service} (${executable}) ${version.slice(0, 12)}` : `${service} ${version}`;

const told = (deploy: Deploy): string => `${nameOf(deploy)}, deployed ${moment(deploy.time)}`;

function Told({ deploy }: { deploy: Deploy }) {
  const { previous, time, hosts } = deploy;
  return (
    <span class="mark-deploy">
      <strong>{nameOf(deploy)}</strong>
      <span>
        {moment(time)}
        {previous && ` · before: ${previous.slice(0, 12)}`}
        {hosts > 0 && ` · ${counted(hosts, "host")}`}
      </span>
    </span>
  );
}

/** Builds that stand for a version have no label to select by. */
function ofDeploy(query: string, { service, version, executable }: Deploy): string {
  const selector = parse(query);
  if (!selector) return query;
  const wanted = { service_name: service, ...(executable ? {} : { service_version: version }) };
  return format(
    Object.entries(wanted).reduce(
      (narrowed, [name, value]) => withMatcher(narrowed, { name, op: "=", value }),
      selector,
    ),
  );
}
