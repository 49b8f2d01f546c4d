/** Calls of every kind that a dashboard tells apart, over and over. */
import { type WatchedCluster, words } from './cluster.ts';

const PAUSE_MS = 300;

export interface Load {
  /** Ends when all calls have ended. */
  stop(): Promise<void>;
}

export function startLoad(cluster: WatchedCluster): Load {
  let isOn = true;
  const loops = cluster.gateways.map(async ({ url }) => {
    for (let round = 0; isOn; round += 1) {
      await Promise.allSettled(callsOf(cluster, round).map((call) => send(url, call)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  });
  return {
    async stop() {
      isOn = false;
      await Promise.all(loops);
    },
  };
}

interface CallOfLoad {
  readonly key: string;
  readonly body: object;
  readonly headers?: Record<string, string>;
  /** The caller leaves behind the first piece of the answer. */
  readonly leaves?: boolean;
}

function callsOf({ keys: { acme, few, short } }: WatchedCluster, round: number): readonly CallOfLoad[] {
  const later = { prefer: 'respond-async' };
  return [
    { key: acme, body: chat('steady', `round ${round}`) },
    { key: acme, body: chat('shaky', `round ${round}`) },
    { key: acme, body: chat('steady', `stream ${round}`, { stream: true }) },
    { key: acme, body: chat('steady', words.lasts, { stream: true, max_tokens: 100 }), leaves: true },
    { key: acme, body: chat('steady', 'the same', { temperature: 0 }) },
    { key: acme, body: chat('steady', 'once'), headers: { 'idempotency-key': `round-${round >> 1}` } },
    { key: acme, body: chat('shaky', words.fails) },
    { key: acme, body: chat('steady', `job ${round}`), headers: later },
    { key: acme, body: chat('shaky', `${words.fails} ${round}`), headers: later },
    { key: acme, body: chat('shaky', words.breaks, { stream: true }) },
    { key: acme, body: chat('no-such-model', 'hello') },
    { key: few, body: chat('steady', 'hello') },
    { key: short, body: chat('steady', 'a long answer', { max_tokens: 400 }) },
    { key: 'no-key-at-all', body: chat('steady', 'hello') },
  ];
}

function chat(model: string, content: string, more: object = {}): object {
  return { model, messages: [{ role: 'user', content }], max_tokens: 8, ...more };
}

async function send(url: string, { key, body, headers, leaves }: CallOfLoad): Promise<void> {
  const leaving = new AbortController();
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: leaving.signal,
  });
  if (!leaves) return void (await answer.arrayBuffer());
  await answer.body?.getReader().read();
  leaving.abort();
}
