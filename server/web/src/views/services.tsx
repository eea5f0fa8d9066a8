/** The table of services: cores, their trend, how that is to a week before, and the newest deploy. */

import type { Deploy, ServiceRow } from "../answers";
import { count, digits, share } from "../lib/format";
import { change, rate, signed } from "../lib/rate";
import { ago, moment } from "../lib/time";
import { PageLink } from "./link";
import { ofService, type PartProps } from "./overview_part";
import { Sparkline } from "./sparkline";

export function Services({ answer, state, navigate }: PartProps) {
  const { services, unit, to, from } = answer;
  const most = services[0]?.total.value ?? 0;
  const whole = services.reduce((sum, { total }) => sum + total.value, 0);
  return (
    <section class="panel" aria-label="Services">
      <table class="services">
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col" class="number">
              Cores
            </th>
            <th scope="col" class="services-bar" aria-label="Share of all cores" />
            <th scope="col" class="services-trend">
              Trend
            </th>
            <th scope="col" class="number" title="Against the same range a week before">
              Vs a week before
            </th>
            <th scope="col" class="number services-hosts">
              Hosts
            </th>
            <th scope="col" class="services-deploys">
              Newest deploy
            </th>
          </tr>
        </thead>
        <tbody>
          {services.map((row) => (
            <tr key={row.service}>
              <th scope="row">
                <PageLink
                  class="services-name"
                  to={{ query: ofService(row.service), from: state.from, to: state.to }}
                  navigate={navigate}
                >
                  {row.service || <em>no service_name</em>}
                </PageLink>
              </th>
              <td class="number strong">{digits(rate(row.total.value, to - from, unit))}</td>
              <td class="services-bar">
                <span class="bar" title={`${share(row.total.value, whole)} of all`}>
                  <span style={{ width: `${(100 * row.total.value) / (most || 1)}%` }} />
                </span>
              </td>
              <td class="services-trend">
                <Sparkline
                  values={row.values}
                  most={Math.max(...row.values)}
                  mark={placeOf(row.deploys[0], from, to)}
                />
              </td>
              <td class="number">
                <Change row={row} unit={unit} ms={to - from} />
              </td>
              <td class="number services-hosts">{count(row.hosts)}</td>
              <td class="services-deploys">
                {row.deploys.map((deploy) => (
                  <Newest key={deploy.time} deploy={deploy} {...{ answer, state, navigate }} />
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function placeOf(deploy: Deploy | undefined, from: number, to: number): number | null {
  return deploy && deploy.time > from ? (deploy.time - from) / (to - from) : null;
}

function Change({
  row: { total, before },
  unit,
  ms,
}: {
  row: ServiceRow;
  unit: string;
  ms: number;
}) {
  if (before.samples === 0) return <span class="muted">no samples</span>;
  return (
    <>
      {signed(rate(total.value - before.value, ms, unit))}{" "}
      <span class="muted">{change(before.value, total.value)}</span>
    </>
  );
}

function Newest({ deploy, answer, state, navigate }: { deploy: Deploy } & PartProps) {
  const { service, version, executable } = deploy;
  const name = executable ? `${version.slice(0, 12)} (${executable})` : version;
  return (
    <PageLink
      to={{
        query: executable ? ofService(service) : ofService(service, ["service_version", version]),
        from: state.from,
        to: state.to,
      }}
      navigate={navigate}
      title={`${name} since ${moment(deploy.time)}${deploy.previous && `, before: ${deploy.previous}`}`}
      class="services-deploy"
    >
      <span>{name}</span> <span class="muted">{ago(answer.to - deploy.time)}</span>
    </PageLink>
  );
}
