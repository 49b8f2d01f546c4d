/** Makes jobs and asks for them, through any replica, and writes down how that went. */
import { createHash } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { JobStatus } from '../../../../src/core/job.ts';
import type { Post, Reading } from './history.ts';

export interface Reply {
  /** 0: no answer came, or not all of it. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly tookMs: number;
}

export interface JobWish {
  readonly key: string;
  /** Begins the name of the request. */
  readonly name?: string;
  /** Default: each in its turn. */
  readonly replica?: number;
  /** Goes behind the name in the prompt. */
  readonly prompt?: string;
  readonly stream?: boolean;
  readonly maxTokens?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Question {
  readonly key: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const MODEL = 'm';

export class JobCaller {
  readonly posts: Post[] = [];
  readonly readings: Reading[] = [];
  readonly #urls: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
  #count = 0;
  #turn = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  /** Settles with the answer, whatever it is. */
  async post(wish: JobWish): Promise<Post> {
    this.#count += 1;
    const { name = 'job', prompt = '', stream = false, maxTokens } = wish;
    const id = `${name}-${this.#count}`;
    const replica = wish.replica ?? this.#nextReplica();
    const messages = [{ role: 'user', content: `[${id}] ${prompt}` }];
    const sentAtMs = performance.now();
    const body = {
      model: MODEL,
      messages,
      stream,
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    };
    const headers = {
      ...{ 'content-type': 'application/json', 'x-request-id': id, prefer: 'respond-async' },
      ...wish.headers,
    };
    const question = { key: wish.key, method: 'POST', headers };
    const reply = await this.send(replica, '/v1/chat/completions', question, JSON.stringify(body));
    const fields = fieldsOf(reply);
    const post: Post = {
      ...{ request: id, replica, sentAtMs, tookMs: performance.now() - sentAtMs, status: reply.status },
      code: (fields.error as { code?: string } | undefined)?.code,
      job: reply.status === 202 ? String(fields.id) : undefined,
    };
    this.posts.push(post);
    return post;
  }

  /** So many a second for so long, whatever becomes of them. Settles with the last answer. */
  async postSteadily(perSecond: number, forMs: number, wish: JobWish): Promise<Post[]> {
    const beganMs = performance.now();
    const under: Promise<Post>[] = [];
    while (performance.now() - beganMs < forMs) {
      const due = ((performance.now() - beganMs) * perSecond) / 1_000;
      while (under.length < due) under.push(this.post(wish));
      await pause(10);
    }
    return Promise.all(under);
  }

  ask(path: string, question: Question, replica = this.#nextReplica()): Promise<Reply> {
    return this.send(replica, `/v1/jobs${path}`, question);
  }

  /** As it is now, with its answer if it is over. Undefined: no answer came, or not one that says anything. */
  async read(job: string, key: string, { waitSeconds = 0, replica = this.#nextReplica() } = {}) {
    const headers = { ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) };
    const reply = await this.ask(`/${job}`, { key, headers }, replica);
    if (reply.status !== 200 && reply.status !== 404) return undefined;
    const { status, attempts, usage } = fieldsOf(reply);
    const result = status === 'completed' ? await this.ask(`/${job}/result`, { key }, replica) : undefined;
    if (result && result.status !== 200 && result.status !== 404) return undefined;
    const tokens = usage as { input_tokens: number; output_tokens: number } | null | undefined;
    const reading: Reading = {
      ...{ job, atMs: performance.now(), attempts: Number(attempts ?? 0) },
      status: reply.status === 404 ? 'absent' : (status as JobStatus),
      usage: tokens ? { input: tokens.input_tokens, output: tokens.output_tokens } : undefined,
      digest: result?.status === 200 ? createHash('sha256').update(result.body).digest('hex') : undefined,
    };
    this.readings.push(reading);
    return reading;
  }

  /** Polls, long, until it is over or gone. */
  async untilOver(job: string, key: string, limitMs: number): Promise<Reading> {
    const deadline = performance.now() + limitMs;
    let last: Reading | undefined;
    while (performance.now() < deadline) {
      last = await this.read(job, key, { waitSeconds: Math.ceil(limitMs / 1_000) });
      if (last && last.status !== 'queued' && last.status !== 'in_progress') return last;
      await pause(50);
    }
    throw new Error(`${job} is ${last?.status} after ${limitMs} ms`);
  }

  /** Also what a test that failed has left open. */
  close(): void {
    this.#agent.destroy();
  }

  #nextReplica(): number {
    this.#turn += 1;
    return this.#turn % this.#urls.length;
  }

  /** Nothing of it is written down. */
  send(
    replica: number,
    path: string,
    { key, method = 'GET', headers }: Question,
    body?: string,
  ): Promise<Reply> {
    return new Promise((resolve) => {
      const beganMs = performance.now();
      const outgoing = request(`${this.#urls[replica]}${path}`, {
        ...{ method, agent: this.#agent },
        headers: {
          authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      });
      const pieces: Buffer[] = [];
      let answered: { status: number; headers: IncomingHttpHeaders } | undefined;
      let isWhole = false;
      outgoing.on('response', (incoming) => {
        answered = { status: incoming.statusCode ?? 0, headers: incoming.headers };
        incoming.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => undefined);
        incoming.on('end', () => {
          isWhole = incoming.complete;
        });
      });
      outgoing.on('error', () => undefined);
      outgoing.on('close', () => {
        const { status = 0, headers: said = {} } = answered ?? {};
        const tookMs = performance.now() - beganMs;
        resolve({ status: isWhole ? status : 0, headers: said, body: Buffer.concat(pieces), tookMs });
      });
      outgoing.end(body);
    });
  }
}

export function fieldsOf({ body }: Pick<Reply, 'body'>): Record<string, unknown> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `202: 12, 503 store_unavailable: 3` */
export function summaryOf(posts: readonly Post[]): string {
  const groups = Map.groupBy(posts, ({ status, code }) => [status, code].filter(Boolean).join(' '));
  return [...groups].map(([answer, group]) => `${answer}: ${group.length}`).join(', ');
}

export function slowestMs(posts: readonly Pick<Post, 'tookMs'>[]): number {
  return posts.reduce((most, { tookMs }) => Math.max(most, tookMs), 0);
}
