/** Asks the collectors of what is selected for a closer profile, and shows it when it is there. */

import { useEffect, useState } from "preact/hooks";
import type { Session, SessionHost, Wanted } from "../answers";
import { askForSession, getSession, stopSession } from "../api";
import { format, parse, usual } from "../lib/selector";
import { toText } from "../lib/time";
import { UnreachableError } from "../request";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";
import { Popover } from "./popover";

const LOOK_MS = 400;
const DURATIONS = ["1s", "5s", "10s", "30s", "1m", "2m"];
const FREQUENCIES = [199, 499, 999];
const EVENTS = ["cpu", "off-cpu", "page-faults", "context-switches"];

interface Props {
  readonly query: string;
  readonly navigate: Navigate;
}

export function CloserLook({ query, navigate }: Props) {
  const [open, setOpen] = useState(false);
  const { session, error, start, stop } = useSession((ended) => {
    if (ended.hosts.some(({ accounts }) => accounts.taken > 0)) navigate(stateOf(ended));
    if (ended.hosts.every(({ state }) => state === "done")) setOpen(false);
  });
  const running = session?.open ?? false;
  const selector = parse(query);
  return (
    <Popover
      open={open}
      side="right"
      onClose={() => setOpen(false)}
      button={
        <button
          type="button"
          class="closer"
          aria-expanded={open}
          disabled={selector === null}
          title="A profile of these processes at a higher rate, for a while"
          onClick={() => setOpen(!open)}
        >
          <Icon name="focus" /> {running ? "Sampling…" : "Closer look"}
        </button>
      }
    >
      {running || !selector ? null : <Form query={format(usual(selector))} onStart={start} />}
      {error && (
        <p class="closer-error" role="alert">
          {error.message}
        </p>
      )}
      {session && <Hosts hosts={session.hosts} />}
      {running && (
        <button type="button" onClick={stop}>
          Stop
        </button>
      )}
    </Popover>
  );
}

/** Where the page shows what a session has taken. */
function stateOf({ profile: { query, from, to } }: Session) {
  return { query, from: toText(from), to: toText(to), live: false, zoom: "" };
}

function Form({ query, onStart }: { query: string; onStart(wanted: Wanted): void }) {
  const [duration, setDuration] = useState("10s");
  const [frequency, setFrequency] = useState("999");
  const [event, setEvent] = useState("cpu");
  return (
    <form
      class="closer-form"
      onSubmit={(submitted) => {
        submitted.preventDefault();
        onStart({ query, event, frequency: Number(frequency), duration });
      }}
    >
      <p>
        Asks the collectors of <code>{query}</code> that run now.
      </p>
      <Choice label="Of" options={EVENTS} value={event} onValue={setEvent} />
      <Choice label="For" options={DURATIONS} value={duration} onValue={setDuration} />
      {event === "off-cpu" ? null : (
        <Choice
          label="At"
          unit=" Hz"
          options={FREQUENCIES.map(String)}
          value={frequency}
          onValue={setFrequency}
        />
      )}
      <button type="submit" class="primary">
        Start
      </button>
    </form>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly unit?: string;
  readonly options: readonly string[];
  readonly value: string;
  onValue(value: string): void;
}

function Choice({ label, unit = "", options, value, onValue }: ChoiceProps) {
  return (
    <label class="select">
      {label}
      <select value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {options.map((each) => (
          <option key={each} value={each}>
            {each}
            {unit}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </label>
  );
}

function Hosts({ hosts }: { hosts: readonly SessionHost[] }) {
  return (
    <ul class="closer-hosts" aria-label="The session">
      {hosts.map(({ host_name, state, reason, accounts }) => (
        <li key={host_name} data-state={state}>
          <strong>{host_name}</strong> {state}
          {accounts.taken > 0 && `, ${accounts.taken.toLocaleString("en")} samples`}
          {reason && `: ${reason}`}
        </li>
      ))}
    </ul>
  );
}

/** One session after another; `onEnd` hears of each once. */
function useSession(onEnd: (session: Session) => void) {
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const follow = (answer: Promise<Session>) =>
    answer.then(
      (found) => {
        setError(null);
        setSession(found);
        if (!found.open) onEnd(found);
      },
      (trouble: Error) => {
        setError(trouble);
        // The session goes on without us; a new object has it asked after again.
        setSession((last) => (trouble instanceof UnreachableError ? last && { ...last } : null));
      },
    );
  useEffect(() => {
    if (!session?.open) return;
    const timer = setTimeout(() => follow(getSession(session.session)), LOOK_MS);
    return () => clearTimeout(timer);
  }, [session]);
  return {
    session,
    error,
    start: (wanted: Wanted) => {
      setSession(null);
      follow(askForSession(wanted));
    },
    stop: () => session && follow(stopSession(session.session)),
  };
}
