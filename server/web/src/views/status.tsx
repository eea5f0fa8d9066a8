/** Where every sample went: always in view, and 0 lost is said too. */

import type { ComponentChildren } from "preact";
import { count, counted, digits, share, value } from "../lib/format";
import type { FlamegraphAnswer, Loss } from "../lib/payload";
import { ROOT } from "../lib/tree";
import { Icon } from "./icons";

/** Causes as docs/architecture.md lists them. */
const CAUSES: Record<string, string> = {
  ring_full: "the ring buffer of the kernel was full",
  stack_collision: "another stack held the slot",
  counts_full: "the kernel's map of counts was full",
  sleeping_full: "no room in the kernel's map of threads that sleep",
  end_unseen: "the kernel did not tell that their threads came back to a CPU",
  symbols_failed: "the collector could not name them: its log has the traceback",
  excluded: "a rule of the collector leaves their processes out",
  collector_killed: "the collector was killed before they were on its disk",
  spool_full: "the collector's spool was full, the oldest went",
  spool_damaged: "the batch's file was cut or changed on the collector's disk",
  refused: "the server could never accept the batch",
  unaccounted: "the accounts of a batch did not close: a bug, please report it",
};

export function Status({ answer }: { answer: FlamegraphAnswer | null }) {
  return <footer class="status">{answer && <Figures answer={answer} />}</footer>;
}

function Figures({ answer }: { answer: FlamegraphAnswer }) {
  const { accounts, coverage, tree, unit, samples, hidden, incomplete } = answer;
  const cut = sum(incomplete);
  const lost = sum(accounts.losses);
  return (
    <>
      <Figure name="Shown" title="Samples of the selection, and their value">
        {counted(samples, "sample")} · {value(tree.total[ROOT], unit)}
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
        <Causes of={accounts.losses} titles={CAUSES} />
      </span>
      {cut > 0 && (
        <span
          class="figure"
          title="Stacks without their root: search kind:marker"
          data-figure="cut short"
        >
          <span class="figure-name">Cut short</span>
          <span class="figure-value">{counted(cut, "sample")}</span> ({share(cut, samples)})
          <Causes of={incomplete} titles={{}} />
        </span>
      )}
      {hidden > 0 && (
        <Figure name="Not sent" title="Frames beyond the limit: in every total, but not drawn">
          {counted(hidden, "frame")}
        </Figure>
      )}
      <span class="status-coverage">
        {samplingRate(answer)}
        {counted(coverage.hosts, "host")} · {counted(coverage.series, "series", "series")} ·{" "}
        {counted(coverage.profiles, "profile")}
      </span>
    </>
  );
}

/** How often each CPU is looked at; where rates are mixed, on average. */
function samplingRate({ profileType, unit, samples, tree }: FlamegraphAnswer): string {
  const sampled = unit === "nanoseconds" && profileType.startsWith("cpu");
  if (!sampled || samples === 0) return "";
  const hertz = (1e9 * samples) / tree.total[ROOT];
  const whole = Math.abs(hertz - Math.round(hertz)) < WHOLE_HZ;
  return `${whole ? Math.round(hertz) : `about ${digits(hertz)}`} Hz · `;
}

/** A period is in whole nanoseconds, so 99 Hz comes out as 99.00000010. */
const WHOLE_HZ = 1e-3;

const sum = (parts: readonly Loss[]): number =>
  parts.reduce((total, { samples }) => total + samples, 0);

function Causes({ of, titles }: { of: readonly Loss[]; titles: Record<string, string> }) {
  return of.map(({ cause, samples }) => (
    <span class="cause" key={cause} title={titles[cause] ?? cause}>
      {cause} {count(samples)}
    </span>
  ));
}

interface FigureProps {
  readonly name: string;
  readonly title: string;
  readonly children: ComponentChildren;
}

function Figure({ name, title, children }: FigureProps) {
  return (
    <span class="figure" title={title} data-figure={name.toLowerCase()}>
      <span class="figure-name">{name}</span>
      <span class="figure-value">{children}</span>
    </span>
  );
}
