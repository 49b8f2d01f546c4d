/** Makes calls through the replicas in turn, at a steady pace that no slow answer holds up, and writes down how they went. */
import { Agent, request } from 'node:http';

export const MODEL = 'm';

export interface Caller {
  /** What the test calls it. */
  readonly name: string;
  readonly key: string;
}

/** Times are `performance.now()` of the test's own process. */
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly replica: number;
  readonly sentAtMs: number;
  readonly tookMs: number;
  /** 0: no answer came. */
  readonly status: number;
  /** Of an error. */
  readonly code: string | undefined;
  readonly input: number;
  readonly output: number;
}

const TICK_MS = 10;
const HELLO = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }], max_tokens: 4 });

export class Load {
  readonly calls: Call[] = [];
  readonly #urls: readonly string[];
  readonly #bodyOf: (number: number) => string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 500 });
  readonly #under = new Set<Promise<Call>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #count = 0;

  /** @param bodyOf of the first call, the second, and so on */
  constructor(urls: readonly string[], bodyOf: (number: number) => string = () => HELLO) {
    this.#urls = urls;
    this.#bodyOf = bodyOf;
  }

  /** Settles when the call is over, however it ends. Default: each replica in its turn. */
  call({ name, key }: Caller, replica = this.#count % this.#urls.length): Promise<Call> {
    this.#count += 1;
    const id = `load-${this.#count}`;
    const sentAtMs = performance.now();
    const work = this.#exchange(this.#urls[replica] ?? '', id, key, this.#bodyOf(this.#count)).then(
      ({ status, text }) => {
        const number = (field: string) => Number(new RegExp(`"${field}":(\\d+)`).exec(text)?.[1] ?? 0);
        const call: Call = {
          ...{ id, name, replica, sentAtMs, status },
          tookMs: performance.now() - sentAtMs,
          code: status >= 400 ? /"code":"([^"]*)"/.exec(text)?.[1] : undefined,
          input: number('prompt_tokens'),
          output: number('completion_tokens'),
        };
        this.calls.push(call);
        this.#under.delete(work);
        return call;
      },
    );
    this.#under.add(work);
    return work;
  }

  /** Each replica once, at the same time. */
  everywhere(caller: Caller): Promise<readonly Call[]> {
    return Promise.all(this.#urls.map((_, replica) => this.call(caller, replica)));
  }

  /** So many calls a second, the callers in turn, until it is told to end; that settles with the last answer. */
  begin(perSecond: number, callers: readonly Caller[]): () => Promise<void> {
    const beganMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = ((performance.now() - beganMs) * perSecond) / 1_000;
      for (; sent < due; sent += 1) {
        // Callers and replicas are counted apart, so that each caller meets each replica.
        const caller = callers[sent % callers.length] as Caller;
        void this.call(caller, Math.floor(sent / callers.length) % this.#urls.length);
      }
    }, TICK_MS);
    this.#timers.add(timer);
    return async () => {
      clearInterval(timer);
      await Promise.all(this.#under);
    };
  }

  of(...names: readonly string[]): Call[] {
    return this.calls.filter(({ name }) => names.includes(name));
  }

  /** Also what a test that failed has left running. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
  }

  #exchange(url: string, id: string, key: string, body: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve) => {
      const outgoing = request(`${url}/v1/chat/completions`, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'x-request-id': id,
        },
      });
      let status = 0;
      let text = '';
      outgoing.on('response', (incoming) => {
        status = incoming.statusCode ?? 0;
        incoming.setEncoding('utf8').on('error', () => undefined);
        incoming.on('data', (piece: string) => {
          text += piece;
        });
      });
      outgoing.on('error', () => undefined);
      outgoing.on('close', () => resolve({ status, text }));
      outgoing.end(body);
    });
  }
}

/** `200: 12, 429 rate_limit_exceeded: 3` */
export function summaryOf(calls: readonly Call[]): string {
  const groups = Map.groupBy(calls, ({ status, code }) => [status, code].filter(Boolean).join(' ') || '0');
  return [...groups].map(([answer, group]) => `${answer}: ${group.length}`).join(', ');
}

export function slowestMs(calls: readonly Call[]): number {
  return calls.reduce((most, { tookMs }) => Math.max(most, tookMs), 0);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
