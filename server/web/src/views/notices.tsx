/** What stands where there is nothing to draw: why, and the next step. */

import type { ComponentChildren } from "preact";
import { TimeError } from "../lib/time";
import { DEFAULTS, EVERYTHING } from "../lib/url";
import { ApiError, UnreachableError } from "../request";
import { Icon } from "./icons";
import type { Navigate } from "./page_state";

interface NoticeProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly alert?: boolean;
}

function Notice({ title, children, alert = false }: NoticeProps) {
  return (
    <div class="notice" role={alert ? "alert" : "status"}>
      {alert && <Icon name="warning" />}
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Nothing in the database at all: the page looks again by itself. */
export function NothingYet() {
  return (
    <Notice title="No samples yet">
      <p>The first arrive within 10 s of starting the collector. This page keeps looking.</p>
      <p class="hint">
        On another machine: <code>profiler collect --server ADDRESS:8441</code>, where this server
        was started with <code>--grpc 0.0.0.0:8441</code>
      </p>
    </Notice>
  );
}

export function NothingSelected({ navigate }: { navigate: Navigate }) {
  return (
    <Notice title="No samples in this selection">
      <p>Nothing fits these labels in this range.</p>
      <div class="notice-actions">
        <button type="button" onClick={() => navigate({ from: "now-24h", to: "now" })}>
          Last 24 hours
        </button>
        <button type="button" onClick={() => navigate({ query: EVERYTHING, zoom: "" })}>
          Without filters
        </button>
      </div>
    </Notice>
  );
}

interface ProblemProps {
  readonly error: Error;
  readonly navigate: Navigate;
  onRetry(): void;
}

/** A mistake in the selector stands under the selector: here is only the way out. */
export function Problem({ error, navigate, onRetry }: ProblemProps) {
  const mistake = isMistake(error);
  return (
    <Notice title={titleOf(error)} alert>
      {!mistake && <p>{error.message}</p>}
      {error instanceof UnreachableError && (
        <p class="hint">
          Is <code>profiler serve</code> (or <code>profiler up</code>) still running?
        </p>
      )}
      <div class="notice-actions">
        {mistake ? (
          <button type="button" onClick={() => navigate({ query: EVERYTHING })}>
            Without filters
          </button>
        ) : error instanceof TimeError ? (
          <button type="button" onClick={() => navigate({ from: "now-1h", to: DEFAULTS.to })}>
            Last hour
          </button>
        ) : (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        )}
      </div>
    </Notice>
  );
}

const isMistake = (error: Error): boolean => error instanceof ApiError && error.position !== null;

function titleOf(error: Error): string {
  if (error instanceof UnreachableError) return "The server does not answer";
  if (error instanceof TimeError) return "This range cannot be read";
  if (isMistake(error)) return "This selector has a mistake";
  if (error instanceof ApiError && error.status < 500) return "The server refused the question";
  return "The answer did not come";
}

export function RecordedBanner() {
  return (
    <div class="banner" role="status">
      <strong>Recorded.</strong> Profiles in this view were replayed from a recording: they do not
      show what the machine does now.
    </div>
  );
}

/** The last answer still stands, but a newer one could not be had. */
export function StaleBanner({ error }: { error: Error }) {
  return (
    <div class="banner banner-alert" role="alert">
      <strong>{titleOf(error)}.</strong> What you see is the last answer that came.
    </div>
  );
}
