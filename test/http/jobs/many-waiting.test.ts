/** A thousand who wait for jobs cost a replica two connections to Redis and next to no work. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { until } from '../../support/gateway.ts';
import { type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

const isLong = process.env.SLUICE_LONG === '1';
const POLLS = isLong ? 5_000 : 1_000;
const JOBS = 100;
const WATCHED_MS = isLong ? 20_000 : 1_500;

test(`${POLLS} long polls on one replica wait without work, and all end with their jobs`, async (t) => {
  const { one, player, redis } = stage;
  const client = new Redis(redis.url);
  const connections = async () =>
    String(await client.client('LIST'))
      .trim()
      .split('\n').length;
  const metric = (name: string) => one.metric(name);
  const ids: string[] = [];
  for (let count = 0; count < JOBS; count += 1) ids.push(await player.accept());
  const connectionsBefore = await connections();
  const heapBefore = await metric('process_resident_memory_bytes');

  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  const statuses: (number | undefined)[] = [];
  const polls = Array.from({ length: POLLS }, async (_, index) => {
    // A listener's backlog is bounded.
    await setTimeout(Math.floor(index / 100) * 20);
    return new Promise<string>((resolve, reject) => {
      const headers = { authorization: `Bearer ${one.key}`, prefer: 'wait=120' };
      get(`${one.url}/v1/jobs/${ids[index % JOBS]}`, { agent, headers }, (response) => {
        statuses.push(response.statusCode);
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });
  });
  await until(async () => (await metric('sluice_requests_in_flight')) >= POLLS, 'all to wait', 30_000);

  const opened = (await connections()) - connectionsBefore;
  const cpuBefore = await metric('process_cpu_seconds_total');
  await setTimeout(WATCHED_MS);
  const cpu = ((await metric('process_cpu_seconds_total')) - cpuBefore) / (WATCHED_MS / 1_000);
  const bytesEach = ((await metric('process_resident_memory_bytes')) - heapBefore) / POLLS;
  t.diagnostic(
    `${POLLS} polls: ${opened} connections to Redis more, ${(cpu * 100).toFixed(1)} % of a core, ${(bytesEach / 1_024).toFixed(1)} KB each`,
  );
  assert.ok(opened <= 2, `${opened} connections`);
  assert.equal(statuses.length, 0);

  for (const id of ids) await player.complete(id, await player.begin(id));
  const endedAtMs = performance.now();
  const texts = await Promise.all(polls);
  t.diagnostic(`all answered ${(performance.now() - endedAtMs).toFixed(0)} ms after the last job`);
  assert.deepEqual([...new Set(texts.map((text) => JSON.parse(text).status))], ['completed']);
  agent.destroy();
  client.disconnect();
});
