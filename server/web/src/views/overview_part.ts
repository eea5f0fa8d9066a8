/** What the parts of the first page share. */

import type { OverviewAnswer } from "../answers";
import { format } from "../lib/selector";
import type { PageState } from "../lib/url";
import type { Navigate } from "./page_state";

export interface PartProps {
  readonly answer: OverviewAnswer;
  readonly state: PageState;
  readonly navigate: Navigate;
}

/** The selector of a service's CPU time, and of what is said more. */
export const ofService = (service: string, ...more: (readonly [string, string])[]): string =>
  format({
    type: "cpu",
    matchers: [["service_name", service] as const, ...more].map(([name, value]) => ({
      ...{ name, op: "=" as const, value },
    })),
  });
