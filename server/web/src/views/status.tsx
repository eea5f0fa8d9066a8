/** Where every sample went: always in view, and 0 lost is said too. */

import { count, counted, share, value } from "../lib/format";
import type { FlamegraphAnswer } from "../lib/payload";
import { Icon } from "./icons";

/** Causes as docs/architecture.md lists them. */
const CAUSES: Record<string, string> = {
  ring_full: "the ring buffer of the kernel was full",
  stack_collision: "another stack held the slot",
  counts_full: "the kernel's map of counts was full",
  spool_full: "the collector's spool was full, the oldest went",
  refused: "the server could never accept the batch",
  unaccounted: "the accounts of a batch did not close: a bug, please report it",
};

export function Status({ answer }: { answer: FlamegraphAnswer | null }) {
  if (!answer) return <footer class="status" />;
  const { accounts, coverage, tree, unit, samples, hidden } = answer;
  const lost = accounts.losses.reduce((sum, loss) => sum + loss.samples, 0);
  return (
    <footer class="status">
      <Figure name="Shown" title="Samples of the selection, and their value">
        {counted(samples, "sample")} · {value(tree.total[0], unit)}
      </Figure>
      <Figure name="Taken" title="By the collectors of these hosts in this range, every service">
        {count(accounts.taken)}
      </Figure>
      <Figure name="Stored" title="Of those taken">
        {count(accounts.stored)}
      </Figure>
      <span class={lost > 0 ? "figure lost" : "figure"} data-figure="lost">
        {lost > 0 && <Icon name="warning" />}
        <span class="figure-name">Lost</span>
        <span class="figure-value">{count(lost)}</span>
        {lost > 0 && ` (${share(lost, accounts.taken)})`}
        {accounts.losses.map(({ cause, samples: n }) => (
          <span class="cause" key={cause} title={CAUSES[cause] ?? cause}>
            {cause} {count(n)}
          </span>
        ))}
      </span>
      {hidden > 0 && (
        <Figure name="Not sent" title="Frames beyond the limit: in every total, but not drawn">
          {counted(hidden, "frame")}
        </Figure>
      )}
      <span class="status-coverage">
        {counted(coverage.hosts, "host")} · {counted(coverage.series, "series", "series")} ·{" "}
        {counted(coverage.profiles, "profile")}
      </span>
    </footer>
  );
}

interface FigureProps {
  readonly name: string;
  readonly title: string;
  readonly children: preact.ComponentChildren;
}

function Figure({ name, title, children }: FigureProps) {
  return (
    <span class="figure" title={title} data-figure={name.toLowerCase()}>
      <span class="figure-name">{name}</span>
      <span class="figure-value">{children}</span>
    </span>
  );
}
