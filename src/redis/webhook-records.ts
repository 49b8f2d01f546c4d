/** Endpoints and events of webhooks, as the scripts under scripts/webhooks have written them. */

export interface EndpointRecord {
  readonly tenant: string;
  readonly status: 'enabled' | 'disabled';
  /** `gone`: the receiver has answered 410; `operator`; null: it is enabled. */
  readonly because: string | null;
  /** Grows with every change; 0 stands for none. */
  readonly revision: number;
  /** Address and secrets, encrypted. */
  readonly sealed: string;
  /** All times are those of Redis' clock. */
  readonly created_at_ms: number;
  readonly delivered_at_ms: number | null;
  /** Nothing is sent before; 0: nothing holds it. */
  readonly held_until_ms: number;
  /** In a row. */
  readonly failures: number;
  /** Events for which the outbox had no room. */
  readonly dropped: number;
}

export interface EventRecord {
  readonly id: string;
  readonly tenant: string;
  readonly job: string;
  readonly type: string;
  readonly created_at_ms: number;
  /** Numbers the tries. */
  readonly tries: number;
  /** Of these, how many no longer count. */
  readonly forgiven: number;
  readonly last_try_at_ms: number | null;
  /** Of the receiver's last answer; null: none came. */
  readonly last_status: number | null;
  readonly last_cause: string | null;
  /** Null: it still waits. */
  readonly died_at_ms: number | null;
}

export type TryEnd =
  | { readonly outcome: 'delivered' | 'returned' }
  | (Failure & { readonly outcome: 'dead' | 'gone' })
  /** @param holds nothing goes to the endpoint before the pause is over */
  | (Failure & { readonly outcome: 'retry'; readonly pauseMs: number; readonly holds: boolean });

interface Failure {
  readonly status: number | undefined;
  /** From a closed set: it is shown. */
  readonly cause: string;
}

type Fields = Readonly<Record<string, string>>;

/** Undefined for a hash that is not there. */
export function readEndpoint(tenant: string, fields: Fields): EndpointRecord | undefined {
  if (fields.sealed === undefined) return undefined;
  const { whole, perhaps } = numbersOf(fields);
  return {
    tenant,
    status: fields.status === 'enabled' ? 'enabled' : 'disabled',
    because: fields.because || null,
    revision: whole('revision'),
    sealed: fields.sealed,
    created_at_ms: whole('created_ms'),
    delivered_at_ms: perhaps('delivered_ms'),
    held_until_ms: whole('held_until_ms'),
    failures: whole('failures'),
    dropped: whole('dropped'),
  };
}

/** Undefined for a hash that is not there. */
export function readEvent(id: string, fields: Fields): EventRecord | undefined {
  if (fields.tenant === undefined) return undefined;
  const { whole, perhaps } = numbersOf(fields);
  return {
    id,
    tenant: fields.tenant,
    job: fields.job ?? '',
    type: fields.type ?? '',
    created_at_ms: whole('created_ms'),
    tries: whole('tries'),
    forgiven: whole('forgiven'),
    last_try_at_ms: perhaps('last_ms'),
    last_status: perhaps('last_status'),
    last_cause: fields.last_cause || null,
    died_at_ms: perhaps('died_ms'),
  };
}

function numbersOf(fields: Fields) {
  return {
    whole: (name: string) => Number(fields[name] ?? 0),
    perhaps: (name: string) => (fields[name] ? Number(fields[name]) : null),
  };
}
