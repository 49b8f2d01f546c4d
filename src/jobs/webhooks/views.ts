/** Endpoints and events of webhooks, as the admin API shows them. */
import type { EndpointRecord, EventRecord } from '../../redis/webhook-records.ts';
import type { Confidential } from './secrets.ts';

export interface EndpointView {
  readonly tenant: string;
  readonly url: string | null;
  readonly status: EndpointRecord['status'];
  readonly disabled_because: string | null;
  readonly created_at: string;
  readonly last_delivered_at: string | null;
  readonly held_until: string | null;
  readonly failures_in_a_row: number;
  readonly events_dropped: number;
  /** The secrets themselves are shown once. */
  readonly secrets: readonly { readonly created_at: string; readonly expires_at: string | null }[];
}

export interface EventView {
  readonly id: string;
  readonly tenant: string;
  readonly job: string;
  readonly type: string;
  readonly created_at: string;
  readonly tries: number;
  readonly last_try_at: string | null;
  readonly last_status: number | null;
  readonly last_cause: string | null;
  readonly given_up_at: string | null;
}

/** @param confidential undefined: it cannot be read */
export function endpointView(record: EndpointRecord, confidential: Confidential | undefined): EndpointView {
  return {
    tenant: record.tenant,
    url: confidential?.url ?? null,
    status: record.status,
    disabled_because: record.because,
    created_at: iso(record.created_at_ms),
    last_delivered_at: perhapsIso(record.delivered_at_ms),
    held_until: record.held_until_ms === 0 ? null : iso(record.held_until_ms),
    failures_in_a_row: record.failures,
    events_dropped: record.dropped,
    secrets: (confidential?.secrets ?? []).map(({ created_at_ms, not_after_ms }) => ({
      created_at: iso(created_at_ms),
      expires_at: perhapsIso(not_after_ms),
    })),
  };
}

export function eventView(event: EventRecord): EventView {
  return {
    ...{ id: event.id, tenant: event.tenant, job: event.job, type: event.type },
    created_at: iso(event.created_at_ms),
    tries: event.tries,
    last_try_at: perhapsIso(event.last_try_at_ms),
    last_status: event.last_status,
    last_cause: event.last_cause,
    given_up_at: perhapsIso(event.died_at_ms),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function perhapsIso(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
