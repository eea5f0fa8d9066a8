/** The name of the page, which leads to the overview. */

import { PageLink } from "./link";
import type { Navigate } from "./page_state";

export function Brand({ navigate }: { navigate: Navigate }) {
  return (
    <h1>
      <PageLink class="brand" to={{}} navigate={navigate} title="All services">
        profiler
      </PageLink>
    </h1>
  );
}
