/**
 * Regular expressions that cannot hang the page: a worker matches them, and is ended where it takes too
 * long. `(a+)+$` takes 2^n steps on n letters, in every engine that a browser has.
 */

import { SearchError } from "./lib/search";

export interface Question {
  /** null: those of the question before */
  readonly values: readonly string[] | null;
  readonly source: string;
  readonly flags: string;
}

const LIMIT_MS = 1000;

export class Matcher {
  private worker: Worker | null = null;
  private sent: readonly string[] | null = null;
  private give: ((error: Error) => void) | null = null;

  constructor(private readonly start: () => Worker) {}

  /** An entry a value, 1 where it matches; SearchError after a second. A new question ends the one before. */
  match(values: readonly string[], { source, flags }: RegExp): Promise<Uint8Array> {
    if (this.give) this.end(new DOMException("another search", "AbortError"));
    this.worker ??= this.start();
    const { worker } = this;
    worker.postMessage({ values: this.sent === values ? null : values, source, flags });
    this.sent = values;
    return new Promise((resolve, reject) => {
      const late = new SearchError(`this expression takes longer than ${LIMIT_MS / 1000} s`);
      const timer = setTimeout(() => this.end(late), LIMIT_MS);
      this.give = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      worker.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
        clearTimeout(timer);
        this.give = null;
        resolve(data);
      };
    });
  }

  private end(error: Error): void {
    this.worker?.terminate();
    this.worker = null;
    this.sent = null;
    this.give?.(error);
    this.give = null;
  }
}
