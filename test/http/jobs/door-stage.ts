/** Two gateways whose oversized requests become jobs, a GPU server, and a worker that does with jobs what the test says. */
import assert from 'node:assert/strict';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { JobRecord } from '../../../src/core/job.ts';
import { decodeJob, type JobSpec } from '../../../src/core/job-spec.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';
import { answerAsAsked } from '../answers.ts';
import { bearer, type Reply, send } from '../client.ts';
import { got, LINE, type Player, startPlayer } from './player.ts';

export interface DoorStage {
  readonly redis: TestRedis;
  readonly upstream: TestUpstream;
  readonly one: TestGateway;
  readonly other: TestGateway;
  readonly player: Player;
  /** Of a tenant of its own with these terms. */
  keyOf(tenant: string, terms?: Record<string, unknown>): Promise<string>;
  post(key: string, body: string, headers?: Record<string, string>, gateway?: TestGateway): Promise<Reply>;
  /** The newest job of the tenant, once there are so many. */
  jobOf(tenant: string, count?: number): Promise<JobRecord>;
  requestOf(id: string): Promise<{ readonly spec: JobSpec; readonly body: Buffer }>;
  stop(): Promise<void>;
}

export const OVERSIZED_TOKENS = 500;

export async function startDoorStage(jobs: NonNullable<ConfigInput['jobs']> = {}): Promise<DoorStage> {
  const [redis, upstream] = await Promise.all([startRedis(), startUpstream(answerAsAsked)]);
  const config: Omit<ConfigInput, 'secret'> = {
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [{ name: LINE, upstreams: ['gpu'] }],
    routes: [{ path: '/predict', upstream: 'gpu', methods: ['POST'] }],
    jobs: { oversize: { tokens: OVERSIZED_TOKENS }, ...jobs },
  };
  const start = (makeKey: boolean) => startGateway({ redis, config, makeKey });
  const [one, other, player] = await Promise.all([start(true), start(false), startPlayer(redis)]);
  return {
    ...{ redis, upstream, one, other, player },
    async keyOf(tenant, terms = {}) {
      const { status, body } = await one.admin('POST', '/tenants', { name: tenant, ...terms });
      assert.equal(status, 201, JSON.stringify(body));
      return (await one.createKey({ tenant })).key;
    },
    post: (key, body, headers = {}, gateway = one) =>
      send(gateway.url, '/v1/chat/completions', { headers: { ...bearer(key), ...headers }, body }),
    async jobOf(tenant, count = 1) {
      let ids: readonly string[] = [];
      await until(async () => {
        ids = got(await player.table.list(tenant, 0, 1_000));
        return ids.length >= count;
      }, `${count} jobs of ${tenant}`);
      return got(await player.table.find(ids[0] as string)) as JobRecord;
    },
    async requestOf(id) {
      const read = got(await player.payloads.readRequest(id));
      assert.equal(read.kind, 'whole');
      const job = read.kind === 'whole' ? decodeJob(read.body) : undefined;
      assert.ok(job);
      return job;
    },
    async stop() {
      player.close();
      await Promise.all([one.stop(), other.stop(), upstream.stop()]);
      await redis.stop();
    },
  };
}

export function prompt(words: number, fields: Record<string, unknown> = {}): string {
  const content = 'word '.repeat(words);
  return JSON.stringify({ model: LINE, messages: [{ role: 'user', content }], ...fields });
}

export const SMALL = 5;
export const LARGE = 2 * OVERSIZED_TOKENS;
