/** One request to the server: its address, its refusal, and the server's clock in its answer. */

/** The server refused; `position` is the character of a selector at which the mistake stands. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly position: number | null,
  ) {
    super(message);
  }
}

/** There was no answer at all. */
export class UnreachableError extends Error {}

export const address = (path: string, parameters: Record<string, string | number>): URL => {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  return url;
};

export const get = <T>(url: URL, signal: AbortSignal): Promise<T> => ask(url, { signal });

export async function ask<T>(url: URL, request: RequestInit): Promise<T> {
  return (await (await respond(url, request)).json()) as T;
}

export async function respond(url: URL, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request).catch((error: Error) => {
    if (error.name === "AbortError") throw error;
    throw new UnreachableError(`no answer from ${url.origin}`);
  });
  noteServerClock(response.headers.get("date"));
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<ApiError> {
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `the server answered ${response.status}`;
  return new ApiError(message, response.status, problem.position ?? null);
}

// Ranges like "the last hour" are resolved by the page, once, so that all its parts speak of the
// same one; by the server's clock, because the browser's may be hours off. The header has whole
// seconds, so smaller differences mean nothing.
const CLOCK_NOISE_MS = 2000;
let clockOffset = 0;

function noteServerClock(date: string | null): void {
  const offset = Date.parse(date ?? "") - Date.now();
  if (Math.abs(offset - clockOffset) > CLOCK_NOISE_MS) clockOffset = offset;
}

/** Milliseconds by which the server's clock is ahead, as far as an answer has told it. */
export const serverOffset = (): number => clockOffset;

/** Unix milliseconds by the server's clock. */
export const serverNow = (): number => Date.now() + clockOffset;
