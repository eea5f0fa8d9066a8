/**
 * Questions to the server as a view sees them: the last answer stays until the next one is here, and
 * while the server cannot be reached; a refusal takes it away. */

import { useEffect, useState } from "preact/hooks";
import { UnreachableError } from "../api";

export interface Answer<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly waiting: boolean;
}

const NOTHING = { value: null, error: null, waiting: false };

/** Asks again when `key` changes, and drops the question before; null asks nothing. The key stands for all that `ask` uses. */
export function useAnswer<T>(
  key: string | null,
  ask: (signal: AbortSignal) => Promise<T>,
): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>(NOTHING);
  useEffect(() => {
    if (key === null) return;
    const life = new AbortController();
    setAnswer((before) => ({ ...before, waiting: true }));
    ask(life.signal).then(
      (value) => setAnswer({ value, error: null, waiting: false }),
      (error: Error) => {
        if (life.signal.aborted) return;
        const keeps = error instanceof UnreachableError;
        setAnswer(({ value }) => ({ value: keeps ? value : null, error, waiting: false }));
      },
    );
    return () => life.abort();
  }, [key]);
  return answer;
}
