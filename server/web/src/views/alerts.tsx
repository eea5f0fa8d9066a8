/** The rules of alerts that fire, may soon, or could not be evaluated; the others are counted. */

import type { Alert, AlertsAnswer } from "../answers";
import { getAlerts } from "../api";
import { counted } from "../lib/format";
import { ago, moment } from "../lib/time";
import { serverNow } from "../request";
import { useAnswer } from "./answer";
import { PageLink } from "./link";
import type { Navigate } from "./page_state";

const ORDER = ["firing", "pending", "resolved", "inactive"];

interface Props {
  /** asks again when it changes */
  readonly tick: number;
  readonly navigate: Navigate;
}

export function Alerts({ tick, navigate }: Props) {
  const { value } = useAnswer(`alerts ${tick}`, getAlerts);
  if (!value || value.alerts.length === 0) return null;
  const rows = rowsOf(value);
  return (
    <section class="panel" aria-labelledby="alerts-title">
      <header class="panel-head">
        <h2 id="alerts-title">Alerts</h2>
        <p class="muted">{summary(value)}</p>
      </header>
      {rows.length > 0 && (
        <table class="services alerts">
          <thead>
            <tr>
              <th scope="col">Rule</th>
              <th scope="col">State</th>
              <th scope="col">Found</th>
              <th scope="col" class="alert-rule">
                Condition
              </th>
              <th scope="col" class="number alert-since">
                Since
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((alert) => (
              <Row key={alert.name} alert={alert} navigate={navigate} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function rowsOf({ alerts }: AlertsAnswer): Alert[] {
  const shown = alerts.filter(({ state, error }) => state !== "inactive" || error);
  return shown.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
}

function summary({ alerts }: AlertsAnswer): string {
  const firing = alerts.filter(({ state }) => state === "firing").length;
  return `${firing || "None"} of ${counted(alerts.length, "rule")} ${firing > 1 ? "fire" : "fires"}.`;
}

function Row({ alert, navigate }: { readonly alert: Alert; readonly navigate: Navigate }) {
  const { name, query, state, since, window, error, detail, bound } = alert;
  const condition = alert.condition.replace("_", " ");
  const to = { query, from: `now-${window / 1000}s`, to: "now", search: alert.function };
  return (
    <tr data-state={state}>
      <th scope="row">
        <PageLink class="strong" to={to} navigate={navigate} title={query}>
          {name}
        </PageLink>
      </th>
      <td>
        <span class="alert-state">{state}</span>
      </td>
      <td class={error ? "alert-detail wrong" : "alert-detail"}>
        {error ? `not evaluated: ${error}` : detail}
      </td>
      <td class="alert-rule muted">
        {alert.cost} of {alert.function || "any function"}: {condition} above {bound}
      </td>
      <td class="number muted alert-since" title={since > 0 ? moment(since) : ""}>
        {since > 0 && ago(serverNow() - since)}
      </td>
    </tr>
  );
}
