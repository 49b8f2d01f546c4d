/** The simulated GPU server, and what it was asked by whom. */
import type { Simulator } from '../../../../src/simulator/server.ts';
import type { GpuCall } from './history.ts';

const NAMED = /\[([a-z]+-\d+)\]/;
const BEARER = 'Bearer ';

/**
 * Notes each call of the model in the turn in which it begins. Who calls is known by the key that he shows.
 * @param begun is told of each
 */
export function noteCalls({ state }: Simulator, begun: (call: GpuCall) => void): readonly GpuCall[] {
  const calls: GpuCall[] = [];
  let seen = 0;
  // It is asked at each change, and never satisfied.
  void state.until(({ started }) => {
    if (started > seen && state.last) {
      const head = state.last.body.subarray(0, 1_000).toString();
      const by = (state.last.headers.authorization ?? '').slice(BEARER.length);
      const call = { request: NAMED.exec(head)?.[1] ?? 'nobody', by, atMs: performance.now() };
      calls.push(call);
      begun(call);
    }
    seen = started;
    return false;
  });
  return calls;
}
