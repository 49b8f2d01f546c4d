/** Every way in which a call can end. */
import type { SimulatorState } from '../../../src/simulator/state.ts';
import { type Caller, inLanes, type Wish } from './caller.ts';
import type { TenantKey } from './gateways.ts';
import type { CallRecord } from './history.ts';

type Ending = Omit<Wish, 'key' | 'kind'>;

const MANY_TOKENS = 30;

const endings: Readonly<Record<string, Ending>> = {
  ok: {},
  stream: { stream: true },
  left_in_stream: { prompt: '[slow]', stream: true, maxTokens: MANY_TOKENS, leave: 'first_byte' },
  left_before: { prompt: '[late]', leave: 30 },
  refused_upstream: { prompt: '[status-400]' },
  failed_upstream: { prompt: '[status-500]' },
  reset: { prompt: '[reset]' },
  timed_out: { prompt: '[hang]' },
  half_stream: { prompt: '[half]', stream: true },
  limited: {},
  bad_json: { body: '{"model":"m","messages":[' },
  unknown_model: { body: '{"model":"nobody","messages":[{"role":"user","content":"hello"}]}' },
};

/** Each kind in turn, so that all of them run beside each other. */
const kinds = Object.keys(endings);

export function plantFaults(simulator: SimulatorState): void {
  simulator.addFault({ prompt: '[slow]', token_ms: 20 });
  simulator.addFault({ prompt: '[late]', first_token_ms: 200 });
  simulator.addFault({ prompt: '[status-400]', status: 400 });
  simulator.addFault({ prompt: '[status-500]', status: 500 });
  simulator.addFault({ prompt: '[reset]', cut: 'reset' });
  simulator.addFault({ prompt: '[hang]', cut: 'hang' });
  simulator.addFault({ prompt: '[half]', cut: 'reset', cut_after_tokens: 5 });
}

/** For calls that hang; long enough for the others on a busy machine. */
export const timeouts = { first_byte_ms: 1_000, idle_ms: 2_000, total_ms: 10_000 };

/**
 * @param key for all kinds but `limited`, which has a key of its own
 * @param count of all calls together
 */
export async function callInEveryWay(
  caller: Caller,
  { key, limitedKey }: { readonly key: TenantKey; readonly limitedKey: TenantKey },
  count: number,
): Promise<readonly CallRecord[]> {
  let made = 0;
  await inLanes(60, () => {
    if (made >= count) return undefined;
    const kind = kinds[made % kinds.length] as string;
    made += 1;
    return caller.call({ ...endings[kind], kind, key: kind === 'limited' ? limitedKey : key });
  });
  return caller.history.calls;
}
