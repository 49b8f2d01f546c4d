/** What the scripts have done to the tickets of a tenant, in the order in which Redis did it. */
import { keys, type RedisBooks } from './books.ts';
import { monitorRedis } from './monitor.ts';

export interface TracedTicket {
  readonly id: string;
  /** Redis' clock. */
  readonly atMs: number;
  /** Reserved, prompt and answer. */
  readonly tokens: number;
}

export type TraceEvent =
  | { readonly kind: 'admitted'; readonly tickets: readonly TracedTicket[] }
  | { readonly kind: 'closed' | 'expired' | 'retaken' | 'marked'; readonly ids: readonly string[] }
  | {
      readonly kind: 'bucket';
      readonly account: string;
      readonly field: string;
      readonly zeroMs: number;
      readonly nowMs: number;
    };

export interface TicketTrace {
  readonly events: readonly TraceEvent[];
  /** Settles when everything that Redis has done so far is in it. */
  caughtUp(): Promise<void>;
  stop(): void;
}

const INPUT = 8;
const OUTPUT = 9;
const KIND_OF = { x: 'expired', b: 'retaken', c: 'marked' } as const;

export async function traceTickets({ client }: RedisBooks, tenant: string): Promise<TicketTrace> {
  const events: TraceEvent[] = [];
  const accounts = keys.account(tenant, '');
  let awaited: { readonly mark: string; readonly seen: () => void } | undefined;
  const monitor = await monitorRedis(client.options.port ?? 0, ([name = '', key = '', ...rest], nowMs) => {
    if (key === awaited?.mark) awaited.seen();
    const command = name.toUpperCase();
    if (key === keys.tickets(tenant)) {
      if (command === 'HDEL') events.push({ kind: 'closed', ids: rest });
      if (command === 'HSET') events.push(...eventsOf(rest));
    } else if (command === 'HSET' && key.startsWith(accounts)) {
      for (let at = 0; at < rest.length; at += 2) {
        const field = rest[at] as string;
        if (field !== 'r' && field !== 't') continue;
        events.push({
          kind: 'bucket',
          account: key.slice(accounts.length),
          field,
          zeroMs: Date.UTC(2026, 0, 1) + Number(rest[at + 1]), // ticket.lua: EPOCH_MS
          nowMs,
        });
      }
    }
  });
  let marks = 0;
  return {
    events,
    async caughtUp() {
      marks += 1;
      const mark = `seen-${marks}`;
      const seen = new Promise<void>((resolve) => {
        awaited = { mark, seen: resolve };
      });
      await client.echo(mark);
      await seen;
    },
    stop: () => monitor.stop(),
  };
}

function eventsOf(pairs: readonly string[]): TraceEvent[] {
  const admitted: TracedTicket[] = [];
  const events: TraceEvent[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    const [id = '', text = ''] = pairs.slice(at, at + 2);
    const fields = text.split(' ');
    const kind = KIND_OF[text[0] as keyof typeof KIND_OF];
    if (kind) events.push({ kind, ids: [id] });
    else {
      admitted.push({ id, atMs: Number(fields[3]), tokens: Number(fields[INPUT]) + Number(fields[OUTPUT]) });
    }
  }
  return admitted.length > 0 ? [{ kind: 'admitted', tickets: admitted }, ...events] : events;
}
