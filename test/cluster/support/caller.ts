/** Makes calls through any replica, and writes down how they went. */
import { Agent, type IncomingMessage, request } from 'node:http';
import type { GatewayCluster, TenantKey } from './gateways.ts';
import { type CallRecord, History, type TokenCount } from './history.ts';

export interface Wish {
  readonly key: TenantKey;
  readonly kind?: string;
  /** Default: each in its turn. */
  readonly replica?: number;
  readonly prompt?: string;
  readonly maxTokens?: number;
  readonly stream?: boolean;
  /** Instead of what the others make up. */
  readonly body?: string;
  /** Closes the connection after so many milliseconds, or at the first byte of the answer. */
  readonly leave?: number | 'first_byte';
  /** The first bytes of the answer have come. */
  readonly begun?: () => void;
}

export const MODEL = 'm';
/** Of the simulator: what an answer has that nothing else limits. */
export const ANSWER_TOKENS = 32;
const BYTES_PER_TOKEN = 4;

export class Caller {
  readonly history = new History();
  readonly #cluster: GatewayCluster;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 500 });
  readonly #name: string;
  #count = 0;

  /** @param name begins the ids of its calls */
  constructor(cluster: GatewayCluster, name = 'call') {
    this.#cluster = cluster;
    this.#name = name;
  }

  /** Settles when the call is over, however it ends. */
  call(wish: Wish): Promise<CallRecord> {
    this.#count += 1;
    const { key, kind = 'ok', prompt = 'hello', maxTokens, stream = false } = wish;
    const id = `${this.#name}-${this.#count}`;
    const replica = wish.replica ?? this.#count % this.#cluster.gateways.length;
    const body =
      wish.body ??
      JSON.stringify({
        model: MODEL,
        messages: [{ role: 'user', content: prompt }],
        ...(maxTokens !== undefined && { max_tokens: maxTokens }),
        ...(stream && { stream, stream_options: { include_usage: true } }),
      });
    const counted = { input: tokensOf(prompt), output: Math.min(ANSWER_TOKENS, maxTokens ?? ANSWER_TOKENS) };
    const sentAtMs = performance.now();
    return this.#exchange(this.#cluster.gateways[replica]?.url ?? '', id, body, wish).then(
      ({ response, text, isWhole }) =>
        this.history.add({
          id,
          keyId: key.id,
          kind,
          replica,
          sentAtMs,
          answeredAtMs: performance.now(),
          status: response?.statusCode ?? 0,
          refusal: refusalIn(response, text),
          headers: response?.headers ?? {},
          counted,
          usage: usageIn(text),
          isWhole,
        }),
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(
    url: string,
    id: string,
    body: string,
    { key, leave, begun }: Wish,
  ): Promise<{ response: IncomingMessage | undefined; text: string; isWhole: boolean }> {
    return new Promise((resolve) => {
      let response: IncomingMessage | undefined;
      let text = '';
      const outgoing = request(`${url}/v1/chat/completions`, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${key.key}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'x-request-id': id,
        },
      });
      const timer = typeof leave === 'number' ? setTimeout(() => outgoing.destroy(), leave) : undefined;
      outgoing.on('response', (incoming) => {
        response = incoming;
        incoming.setEncoding('utf8').on('error', () => undefined);
        incoming.on('data', (piece: string) => {
          if (text === '') begun?.();
          text += piece;
          if (leave === 'first_byte') outgoing.destroy();
        });
      });
      outgoing.on('error', () => undefined);
      outgoing.on('close', () => {
        clearTimeout(timer);
        const isStream = response?.headers['content-type']?.startsWith('text/event-stream');
        const isWhole = response?.complete === true && (!isStream || text.endsWith('data: [DONE]\n\n'));
        resolve({ response, text, isWhole });
      });
      outgoing.end(body);
    });
  }
}

/** As the simulator counts a prompt of one text. */
function tokensOf(prompt: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(prompt) / BYTES_PER_TOKEN));
}

function usageIn(text: string): TokenCount | undefined {
  const input = /"prompt_tokens":(\d+)/.exec(text)?.[1];
  const output = /"completion_tokens":(\d+)/.exec(text)?.[1];
  return input && output ? { input: Number(input), output: Number(output) } : undefined;
}

function refusalIn(response: IncomingMessage | undefined, text: string): string | undefined {
  if ((response?.statusCode ?? 200) < 400) return undefined;
  const field = (name: string) => new RegExp(`"${name}":"?([^",}]*)`).exec(text)?.[1];
  return `${field('type')} ${field('code')}`;
}

/** So many at a time; each begins the next when it is done, until there is none. */
export async function inLanes(lanes: number, next: () => Promise<unknown> | undefined): Promise<void> {
  const lane = async () => {
    for (let work = next(); work; work = next()) await work;
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
