/** A Redis, a simulated GPU server, real workers in processes of their own, and jobs as the door makes them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { AssembledAdmission } from '../../src/admission/assemble.ts';
import { createPrincipals } from '../../src/admission/jobs/principals.ts';
import { storedEstimate } from '../../src/admission/jobs/stored-estimate.ts';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { chargeOf } from '../../src/admission/settlement.ts';
import { createUsageReader } from '../../src/admission/usage/usage-reader.ts';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import type { JobRecord } from '../../src/core/job.ts';
import { readJobAnswer } from '../../src/core/job-answer.ts';
import { encodeJob, type JobSpec } from '../../src/core/job-spec.ts';
import { noPrices } from '../../src/core/money.ts';
import { makeJobId } from '../../src/jobs/job-id.ts';
import { jobTable } from '../../src/redis/job-table.ts';
import { payloadTable } from '../../src/redis/payload-table.ts';
import { connectQueue } from '../../src/redis/queue-connection.ts';
import type { SimulatorOptions } from '../../src/simulator/options.ts';
import { createSimulator } from '../../src/simulator/server.ts';
import { recordingLog } from '../redis/ground.ts';
import { value } from '../redis/payloads/ground.ts';
import { startRedis } from '../support/redis.ts';
import { until } from './ground.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const SECRET = 'a-secret-for-tests-only-0123456789abcdef';
const HOUR_MS = 3_600_000;
export const MODEL = 'glm';

export interface WorkerProcess {
  readonly child: ChildProcess;
  readonly adminUrl: string;
  /** Everything that it has written so far. */
  logText(): Promise<string>;
  /** As it is from the next SIGHUP on. */
  configure(config: Omit<ConfigInput, 'secret'>): Promise<void>;
  /** Ends it in order. @returns how long it took */
  stop(): Promise<number>;
}

export interface JobWish {
  readonly tenant?: string;
  readonly body?: Record<string, unknown>;
  readonly spec?: Partial<JobSpec>;
  /** In place of what a worker could read. */
  readonly payload?: Buffer;
}

interface PlaceOptions {
  readonly config?: Omit<ConfigInput, 'secret'>;
  readonly simulator?: SimulatorOptions;
  readonly maxInFlight?: number;
}

export type Workplace = Awaited<ReturnType<typeof openWorkplace>>;

const nothing = () => undefined;

export async function openWorkplace(t: TestContext, options: PlaceOptions = {}) {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const simulator = createSimulator({ models: ['/models/inner'], ...options.simulator });
  const { url } = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  const input: Omit<ConfigInput, 'secret'> = {
    upstreams: [{ name: 'gpu', url, max_in_flight: options.maxInFlight }],
    models: [{ name: MODEL, upstreams: ['gpu'], upstream_model: '/models/inner' }],
    ...options.config,
  };
  const config = configSchema.parse({ ...input, secret: SECRET, redis: { url: redis.url } });
  const { log } = recordingLog();
  const connection = connectQueue(config, log);
  t.after(() => connection.close());
  await Promise.all([connection.commands.reached(), connection.payloads.reached()]);
  const table = jobTable(connection.commands);
  const payloads = payloadTable(connection.payloads, { requestBytesMax: 3e7, resultBytesMax: 3e7 });
  const keys = createKeyStore({ redis: connection.commands, config, now: Date.now });
  const limits = new AssembledAdmission({
    ...{ config, version: '0', hasShare: true, redis: connection.commands, keys, log },
    models: () => [MODEL],
    inFlight: () => ({}),
    observer: {
      ...{ admissionDecided: nothing, ticketsSettled: nothing, settlementsDropped: nothing },
      ...{ ticketsLost: nothing, slotsRetaken: nothing, estimateErred: nothing },
      ...{ limitsUsed: nothing, charged: nothing },
    },
  });
  const principals = createPrincipals({
    ...{ redis: connection.commands, config },
    data: { isTrusted: () => true, isRevoked: () => false },
  });
  const usage = createUsageReader({ redis: connection.commands, now: Date.now });
  const keyIds = new Map<string, string>();
  const making = new Map<string, Promise<void>>();

  /** Its one key. */
  const makeTenant = (tenant: string, terms: Record<string, unknown> = {}) => {
    const made = makeKey(tenant, terms);
    making.set(tenant, made);
    return made;
  };
  const makeKey = async (tenant: string, terms: Record<string, unknown>) => {
    const made = await keys.create({ tenant, name: 'test', expires_at: null, ...terms });
    if (!made.ok) throw new Error(`no key: ${JSON.stringify(made)}`);
    keyIds.set(tenant, made.record.id);
  };

  const find = async (id: string): Promise<JobRecord> => {
    const record = value(await table.find(id));
    if (!record) throw new Error(`there is no ${id}`);
    return record;
  };

  return {
    ...{ redis, simulator, config: input, table, payloads, limits, keys, makeTenant, find, connection },
    keyOf: (tenant: string) => keyIds.get(tenant) as string,

    /** Reserved, stored and accepted, as the door does it. */
    async putJob({ tenant = 'acme', body = chat('hello'), spec: more = {}, payload }: JobWish = {}) {
      await (making.get(tenant) ?? makeTenant(tenant));
      const keyId = keyIds.get(tenant) as string;
      const bytes = Buffer.from(JSON.stringify(body));
      const id = makeJobId();
      const estimate = limits.estimator.estimate(MODEL, body, bytes.length, '/v1/chat/completions');
      const charge = chargeOf({ model: MODEL, prices: noPrices, estimate }, limits.estimator);
      const spec: JobSpec = {
        ...{ kind: 'inference', tenant, key_id: keyId, request_id: `request of ${id}`, method: 'POST' },
        ...{ path: '/v1/chat/completions', query: '', content_type: null, accept: null, model: MODEL },
        ...{ requested_model: MODEL, version: null, line: MODEL, streamed: body.stream === true },
        ...{ asks_for_usage: false, suffix: null, estimate: storedEstimate(estimate), charge },
        ...{ affinity: null, created_at_ms: Date.now(), ...more },
      };
      const owner = await principals.find(tenant, keyId, Date.now());
      if (!owner.ok) throw new Error(owner.refusal.message);
      const reserved = await limits.jobTickets.reserve(owner.principal, spec.model, charge, id, HOUR_MS);
      if (reserved.kind !== 'admitted') throw new Error(`not reserved: ${reserved.kind}`);
      const stored = payload ?? (encodeJob(spec, bytes) as Buffer);
      value(await payloads.writeRequest(id, stored, HOUR_MS));
      const job = {
        ...{ id, tenant, keyId, model: spec.model, line: spec.line, via: 'async' as const, priority: 0 },
        ...{ cost: charge.inputTokens + charge.outputTokens, weight: 1, bytes: stored.length },
        ...{ once: undefined, expiresInMs: HOUR_MS, keptMs: HOUR_MS, heldMs: undefined },
      };
      const bounds = { tenantJobsMax: 1e6, tenantBytesMax: 1e9, jobsMax: 1e6, bytesMax: 1e9 };
      const accepted = value(await table.accept(job, bounds, value(await table.clock()) + 5_000));
      if (accepted.verdict !== 'accepted') throw new Error(`not accepted: ${accepted.verdict}`);
      return id;
    },

    /** @returns its record when it has ended */
    async untilOver(id: string, limitMs = 30_000): Promise<JobRecord> {
      let record = await find(id);
      await until(async () => {
        record = await find(id);
        return record.status !== 'queued' && record.status !== 'in_progress';
      }, limitMs);
      return record;
    },

    async answerOf({ id, attempt }: Pick<JobRecord, 'id' | 'attempt'>) {
      const found = value(await payloads.readResult(id, attempt));
      if (found.kind !== 'whole') throw new Error(`the answer is ${found.kind}`);
      const read = readJobAnswer(found.body);
      if (!read) throw new Error('this is no answer');
      return { head: read.head, body: found.body.subarray(read.bodyAt) };
    },

    /** The calls that a tenant has been charged for, once there are so many of them. */
    async settled(tenant: string, count: number) {
      const calls = async () => {
        const page = await usage.calls(tenant, { limit: 1_000 });
        return page.ok ? page.value.calls : [];
      };
      await until(async () => (await calls()).length >= count);
      return await calls();
    },

    async startWorker(env: NodeJS.ProcessEnv = {}): Promise<WorkerProcess> {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
      const logFile = join(folder, 'worker.log');
      const configFile = join(folder, 'sluice.yaml');
      await writeFile(configFile, stringify(input));
      const child = fork(main, ['worker'], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: {
          ...{ PATH: process.env.PATH, ADMIN_PORT: '0', SLUICE_SECRET: SECRET, SLUICE_CONFIG: configFile },
          ...{ REDIS_URL: redis.url, LOG_FILE: logFile, ...env },
        },
      });
      t.after(async () => {
        child.kill('SIGKILL');
        await rm(folder, { recursive: true, force: true });
      });
      const ended = once(child, 'exit');
      const ready = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
      if (!ready) throw new Error('the worker did not start');
      return {
        child,
        adminUrl: ready[0].listening.admin,
        logText: () => readFile(logFile, 'utf8'),
        configure: (changed) => writeFile(configFile, stringify(changed)),
        async stop() {
          const begunMs = performance.now();
          child.kill('SIGTERM');
          await ended;
          return performance.now() - begunMs;
        },
      };
    },
  };
}

export function chat(content: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: MODEL, messages: [{ role: 'user', content }], ...more };
}
