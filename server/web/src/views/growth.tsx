/** The functions that cost most more themselves than a week before, of all services. */

import type { Grown, OverviewAnswer } from "../answers";
import { groupColour } from "../lib/colour";
import { basename, count, digits } from "../lib/format";
import { change, rate, signed } from "../lib/rate";
import { exactly } from "../lib/search";
import { PageLink } from "./link";
import { ofService, type PartProps } from "./overview_part";

/** As many as the server tells of a service: these are then the first of all. */
const SHOWN = 10;

interface Row {
  readonly service: string;
  readonly one: Grown;
}

/** Of everything: what grew by less is not worth a line. */
const LEAST = 1e-4;

function rowsOf({ services }: OverviewAnswer): Row[] {
  const all = services.reduce((sum, { total }) => sum + total.value, 0);
  const growth = ({ one }: Row) => one.self - one.self_before;
  const rows = services
    .flatMap(({ service, grown }) => grown.map((one) => ({ service, one })))
    .filter((row) => growth(row) >= LEAST * all);
  return rows.sort((a, b) => growth(b) - growth(a)).slice(0, SHOWN);
}

export function Growth({ answer, state, navigate }: PartProps) {
  const rows = rowsOf(answer);
  const { unit, from, to } = answer;
  const cores = (value: number) => rate(value, to - from, unit);
  const compared = answer.services.some(({ before }) => before.samples > 0);
  return (
    <section class="panel" aria-labelledby="growth-title">
      <header class="panel-head">
        <h2 id="growth-title">What grew most in a week</h2>
        <p class="muted">
          {!compared
            ? "There are no samples of a week before to compare with."
            : rows.length === 0
              ? "No function uses 0.01% of all cores more than in the same range a week before."
              : "Cores a function uses itself, against the same range a week before; from 0.01% of all cores on. Sums, no verdict."}
        </p>
      </header>
      {rows.length > 0 && (
        <table class="services growth">
          <thead>
            <tr>
              <th scope="col">Function</th>
              <th scope="col">Service</th>
              <th scope="col" class="number growth-before">
                Before
              </th>
              <th scope="col" class="number">
                Now
              </th>
              <th scope="col" class="number">
                More cores
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ service, one }) => (
              <tr key={`${service} ${one.function} ${one.file} ${one.binary}`}>
                <th scope="row">
                  <PageLink
                    class="growth-name"
                    to={{
                      ...{ query: ofService(service), from: state.from, to: state.to },
                      search: exactly(one.function),
                    }}
                    navigate={navigate}
                    title={`${one.function}\n${one.file || one.binary}`}
                  >
                    <span class="swatch" style={{ background: groupColour(one.kind, "light") }} />
                    <span class="growth-function">{one.function}</span>
                    <span class="muted">{basename(one.file || one.binary)}</span>
                  </PageLink>
                </th>
                <td>{service}</td>
                <td
                  class="number growth-before"
                  title={`${count(one.self_samples_before)} samples`}
                >
                  {digits(cores(one.self_before))}
                </td>
                <td class="number" title={`${count(one.self_samples)} samples`}>
                  {digits(cores(one.self))}
                </td>
                <td class="number strong">
                  {signed(cores(one.self - one.self_before))}{" "}
                  <span class="muted">{change(one.self_before, one.self)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
