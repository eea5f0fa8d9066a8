/** What follows each of many keys is done when they pause: browsers limit how often a URL is written. */

import { useMemo, useRef } from "preact/hooks";

const PAUSE_MS = 150;

interface Paused<T> {
  (value: T): void;
  cancel(): void;
}

export function usePause<T>(act: (value: T) => void): Paused<T> {
  const latest = useRef(act);
  latest.current = act;
  return useMemo(() => {
    let timer = 0;
    const cancel = () => clearTimeout(timer);
    const paused = (value: T) => {
      cancel();
      timer = setTimeout(() => latest.current(value), PAUSE_MS) as unknown as number;
    };
    return Object.assign(paused, { cancel });
  }, []);
}
