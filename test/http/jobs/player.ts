/** Two gateways on one Redis, and a worker that does with jobs what the test says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request as openRequest } from 'node:http';
import { configSchema } from '../../../src/config/schema.ts';
import { encodeJobAnswer, usageOfSettlement } from '../../../src/core/job-answer.ts';
import { makeJobId } from '../../../src/jobs/job-id.ts';
import { payloadBounds } from '../../../src/jobs/payload-bounds.ts';
import type { Answer, RedisConnection } from '../../../src/redis/connection.ts';
import { type JobTable, jobTable, type NewJob } from '../../../src/redis/job-table.ts';
import { type PayloadTable, payloadTable } from '../../../src/redis/payload-table.ts';
import type { PieceWriter } from '../../../src/redis/piece-writer.ts';
import { connectQueue } from '../../../src/redis/queue-connection.ts';
import { recordingLog } from '../../redis/ground.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type Reply, send } from '../client.ts';

export const LINE = 'llama';
const DAY_MS = 86_400_000;
const bounds = { tenantJobsMax: 1e9, tenantBytesMax: 1e12, jobsMax: 1e9, bytesMax: 1e12 };
const unused = { cost: undefined, usage: undefined };

export interface Player {
  readonly connection: RedisConnection;
  readonly table: JobTable;
  readonly payloads: PayloadTable;
  /** Waits in line; the id. */
  accept(more?: Partial<NewJob>): Promise<string>;
  /** An attempt begins; its number. */
  begin(id: string): Promise<number>;
  /** As when its worker has died: the job is handed to another one. */
  beginAgain(id: string): Promise<number>;
  stream(id: string, attempt: number): PieceWriter;
  complete(id: string, attempt: number, answer?: Buffer, contentType?: string): Promise<void>;
  fail(id: string, attempt: number): Promise<void>;
  close(): void;
}

export async function startPlayer(redis: TestRedis): Promise<Player> {
  const config = configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: redis.url, command_timeout_ms: 5_000 },
  });
  const connection = connectQueue(config, recordingLog().log);
  await Promise.all([connection.commands.reached(), connection.payloads.reached()]);
  const table = jobTable(connection.commands);
  const payloads = payloadTable(connection.payloads, payloadBounds(config));
  let runs = 0;
  const start = async (id: string) => {
    runs += 1;
    const { verdict, attempt } = got(await table.start(id, `run ${runs}`, 100));
    assert.equal(verdict, 'started');
    return attempt;
  };
  const finish = async (id: string, attempt: number) => {
    const usage = usageOfSettlement({
      spent: { requests: 1, inputTokens: 5, outputTokens: 3, images: 0, gpuMs: 1_500, costNano: 2_000 },
      ...{ cachedTokens: 1, status: 200, durationMs: 1_500, route: '/v1/chat/completions', requestId: 'r' },
    });
    const used = { cost: undefined, usage: JSON.stringify(usage) };
    assert.equal(got(await table.finish(id, attempt, { status: 'completed' }, used)).verdict, 'finished');
  };
  return {
    connection: connection.commands,
    table,
    payloads,
    async accept(more = {}) {
      const id = makeJobId();
      const job: NewJob = {
        ...{ id, tenant: 'acme', keyId: 'key_1', model: 'public', line: LINE, via: 'async', priority: 5 },
        ...{ cost: 1_000, weight: 1, bytes: 10, once: undefined, expiresInMs: DAY_MS, keptMs: DAY_MS },
        ...more,
      };
      got(await table.accept(job, bounds, Number.MAX_SAFE_INTEGER));
      return id;
    },
    async begin(id) {
      for (;;) {
        const picked = got(await table.pick(LINE, 1));
        if (picked.some((job) => job.id === id)) return start(id);
        assert.ok(picked.length > 0, 'it waits in line');
      }
    },
    beginAgain: start,
    stream: (id, attempt) => payloads.pieces.begin(id, attempt, { lifetimeMs: DAY_MS, bytesMax: 1e9 }),
    async complete(id, attempt, answer, contentType = 'application/json') {
      if (answer) {
        const stored = encodeJobAnswer({ status: 200, content_type: contentType, upstream: 'gpu' }, [answer]);
        assert.notEqual(got(await payloads.writeResult(id, attempt, stored, DAY_MS)), 'too_large');
      }
      await finish(id, attempt);
    },
    async fail(id, attempt) {
      const end = { status: 'failed', code: 'upstream_error', message: 'It broke.' } as const;
      got(await table.finish(id, attempt, end, unused));
    },
    close: () => connection.close(),
  };
}

export interface Stage {
  readonly redis: TestRedis;
  readonly one: TestGateway;
  readonly other: TestGateway;
  readonly player: Player;
  /** Of another tenant. */
  readonly strangersKey: string;
  stop(): Promise<void>;
}

export async function startStage(): Promise<Stage> {
  const redis = await startRedis();
  const start = () => startGateway({ redis });
  const [one, other, player] = await Promise.all([start(), start(), startPlayer(redis)]);
  const { key: strangersKey } = await one.createKey({ tenant: 'stranger' });
  return {
    redis,
    one,
    other,
    player,
    strangersKey,
    async stop() {
      player.close();
      await Promise.all([one.stop(), other.stop()]);
      await redis.stop();
    },
  };
}

export function got<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(answer.failure.cause);
  return answer.value;
}

export function ask(
  gateway: TestGateway,
  path: string,
  { key = gateway.key, method = 'GET', ...headers }: Record<string, string> = {},
): Promise<Reply> {
  return send(gateway.url, `/v1/jobs${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...headers },
  });
}

export function read(reply: Reply): Record<string, unknown> {
  return JSON.parse(reply.body.toString()) as Record<string, unknown>;
}

export interface ServerEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: string;
}

export interface EventReader {
  readonly events: ServerEvent[];
  /** All data of chunks so far. */
  chunks(): string[];
  /** The next one that comes, or came, of this name; in order. */
  until(name: string): Promise<ServerEvent>;
  /** All until the other side has ended. */
  rest(): Promise<readonly ServerEvent[]>;
  leave(): void;
  pause(): void;
  resume(): void;
}

/** Listens on a connection of its own. */
export async function listen(
  gateway: TestGateway,
  id: string,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const { hostname, port } = new URL(gateway.url);
  const outgoing = openRequest({
    ...{ hostname, port, path: `/v1/jobs/${id}/events`, agent: false },
    headers: { authorization: `Bearer ${gateway.key}`, ...headers },
  });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  assert.match(String(response.headers['content-type']), /^text\/event-stream/);
  const events: ServerEvent[] = [];
  let text = '';
  let wake = () => {};
  let ended = false;
  response.setEncoding('utf8');
  response.on('data', (piece: string) => {
    const blocks = (text + piece).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) if (!block.startsWith(':')) events.push(parse(block));
    wake();
  });
  response.on('error', () => undefined);
  response.on('close', () => {
    ended = true;
    wake();
  });
  let seen = 0;
  const more = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  return {
    events,
    chunks: () => events.filter(({ name }) => name === 'chunk').map(({ data }) => data),
    async until(name) {
      for (;;) {
        while (seen < events.length) {
          const event = events[seen] as ServerEvent;
          seen += 1;
          if (event.name === name) return event;
        }
        if (ended) throw new Error(`no ${name}, but the end`);
        await more();
      }
    },
    async rest() {
      while (!ended) await more();
      return events;
    },
    leave: () => response.destroy(),
    pause: () => response.pause(),
    resume: () => response.resume(),
  };
}

function parse(block: string): ServerEvent {
  let name = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const field = line.slice(0, colon);
    const value = line.slice(colon + 2);
    if (field === 'event') name = value;
    else if (field === 'id') id = value;
    else if (field === 'data') data.push(value);
  }
  return { name, id, data: data.join('\n') };
}
