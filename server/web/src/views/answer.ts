/**
 * Questions to the server as a view sees them: the last answer stays until the next one is here, and
 * while the server cannot be reached; a refusal takes it away. */

import { useEffect, useState } from "preact/hooks";
import { UnreachableError } from "../request";

export interface Answer<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly waiting: boolean;
}

/**
 * Asks again when `key` changes, and drops the question before; null asks nothing. The key stands
 * for all that `ask` uses.
 */
export function useAnswer<T>(
  key: string | null,
  ask: (signal: AbortSignal) => Promise<T>,
): Answer<T> {
  const [answer, setAnswer] = useState<Answered<T>>({ key: null, value: null, error: null });
  useEffect(() => {
    if (key === null) return;
    const life = new AbortController();
    ask(life.signal).then(
      (value) => setAnswer({ key, value, error: null }),
      (error: Error) => {
        if (life.signal.aborted) return;
        const keeps = error instanceof UnreachableError;
        setAnswer((before) => ({ key, value: keeps ? before.value : null, error }));
      },
    );
    return () => life.abort();
  }, [key]);
  return { value: answer.value, error: answer.error, waiting: key !== null && key !== answer.key };
}

interface Answered<T> {
  /** what was asked */
  readonly key: string | null;
  readonly value: T | null;
  readonly error: Error | null;
}
