/**
 * P1, P3, P5 and P8 together: streams through three servers, of which one breaks off in the middle, one sends byte by
 * byte, and one closes idle connections, while some of the clients leave.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { bounded, isLong, TOLERANCE } from '../outage/support/ground.ts';
import { pause } from '../outage/support/load.ts';
import { seededRandom } from '../seeded-random.ts';
import { openGround } from './support/ground.ts';
import { attemptsOf } from './support/judge.ts';
import { judgeStream, readStream, type StreamRecord } from './support/streams.ts';

const REPLICAS = 2;
const PACE = { tokens: 30, tokenMs: 10 };
const EVERY_MS = 20;
const ROUNDS = isLong ? 30 : 1;
const PHASE_MS = 1_500;
const CLOSED_MS = 200;
const random = seededRandom(13);

test(
  'a stream is whole, or broken by its server and says so, or left; nothing runs on, and nothing is sent again behind a first byte',
  bounded,
  async (t) => {
    const ground = await openGround(t, { replicas: REPLICAS, pace: PACE });
    const { gateways, servers } = ground;
    const { key } = await ground.caller('acme');
    const [breaking, bytewise, closing] = servers;
    const streams: Promise<StreamRecord>[] = [];
    const timer = setInterval(() => {
      const number = streams.length;
      streams.push(
        readStream({
          ...{ id: `stream-${number}`, url: gateways[number % REPLICAS]?.url ?? '', key },
          prompt: `${number}: a question that nobody has asked in these words before, not even once`,
          tokens: PACE.tokens,
          leaveAfterMs: random() < 0.25 ? random() * 2 * PACE.tokens * PACE.tokenMs : undefined,
        }),
      );
    }, EVERY_MS);
    t.after(() => clearInterval(timer));
    for (let round = 0; round < ROUNDS; round += 1) {
      await pause(PHASE_MS / 2);
      await breaking.harm({ cut: 'reset', cut_after_tokens: 15 });
      await bytewise.harm({ one_byte: true, calls: 10 });
      await closing.harm({ idle_close_ms: EVERY_MS });
      await pause(PHASE_MS);
      await Promise.all(servers.map((server) => server.heal()));
    }
    await pause(PHASE_MS / 2);
    clearInterval(timer);
    const ended = await Promise.all(streams);

    const endedAtMs = performance.now();
    const running = async () => Promise.all(servers.map(async (server) => (await server.counts()).running));
    const nothingRuns = async () => (await running()).every((count) => count === 0);
    await until(nothingRuns, 'the servers to be left alone', TOLERANCE * CLOSED_MS);
    const closedMs = performance.now() - endedAtMs;

    const judged = ended.map((stream) => ({ id: stream.id, ...judgeStream(stream, PACE.tokens) }));
    const ends = Map.groupBy(judged, ({ end }) => end);
    t.diagnostic([...ends].map(([end, all]) => `${end}: ${all.length}`).join(', '));
    t.diagnostic(`all servers were left ${closedMs.toFixed(0)} ms after the last stream`);
    assert.deepEqual(
      judged.filter(({ fault }) => fault !== undefined),
      [],
    );
    assert.deepEqual([...ends.keys()].sort(), ['broken', 'left', 'whole']);

    const lines = await ground.logLines(Math.ceil(streams.length / REPLICAS) - 1);
    const broken = new Set(ends.get('broken')?.map(({ id }) => id));
    const ofBroken = lines.filter(({ request_id }) => broken.has(String(request_id)));
    assert.equal(ofBroken.length, broken.size);
    for (const line of ofBroken) {
      assert.deepEqual([line.outcome, line.upstream], ['broken', breaking.name]);
      assert.equal(attemptsOf(line).filter(([server]) => server === breaking.name).length, 1);
    }
  },
);
