import type { ServerHealth, ServerState } from './server-health.ts';

/** A place in a pool. */
interface Judged {
  readonly upstream: { readonly serverHealth: ServerHealth };
}

/**
 * Who may have the next call. A pool is never ejected to the last: where nobody is usable, those are offered who
 * answer their probes, else those who do not, since a call that may fail is better than one that must. Only servers
 * that an operator drains are never offered; so the answer can be empty.
 */
export function usable<Member extends Judged>(members: readonly Member[], nowMs: number): readonly Member[] {
  const found = those(members, ({ serverHealth }) => serverHealth.isUsable(nowMs));
  if (found.length > 0) return found;
  const inState = (...states: readonly ServerState[]) =>
    those(members, ({ serverHealth }) => states.includes(serverHealth.state(nowMs)));
  const answering = inState('ejected', 'trial');
  return answering.length > 0 ? answering : inState('down');
}

/** The same array where all are meant, which is nearly always. */
function those<Member extends Judged>(
  members: readonly Member[],
  are: (upstream: Member['upstream']) => boolean,
): readonly Member[] {
  return members.every(({ upstream }) => are(upstream))
    ? members
    : members.filter(({ upstream }) => are(upstream));
}
