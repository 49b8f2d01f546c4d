/** What the choice of a server costs by itself: the hash of the prompt's beginning, and the draw among three servers. */
import { affinityHash } from '../../src/upstream/choice/affinity-key.ts';
import type { Member } from '../../src/upstream/member.ts';
import type { Pool } from '../../src/upstream/pool.ts';
import { Router } from '../../src/upstream/router.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { requestBytes } from './requests.ts';

export interface CostOfChoice {
  readonly what: string;
  readonly microseconds: number;
}

const SERVERS = 3;
const IN_FLIGHT = 10;
const REPEATS = 100_000;
const ROUNDS = 9;

function busyServer(name: string): Upstream {
  const upstream = new Upstream({
    name,
    url: 'http://127.0.0.1:9',
    apiKey: undefined,
    discover: false,
    gpus: 1,
  });
  const nowMs = performance.now();
  upstream.serverHealth.probed('ok', nowMs);
  for (let count = 0; count < IN_FLIGHT; count += 1) upstream.load.begin(nowMs);
  return upstream;
}

/** The fastest round: whatever else the machine does can only slow one down. */
function microsecondsOf(act: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const beganMs = performance.now();
    for (let repeat = 0; repeat < REPEATS; repeat += 1) act();
    fastest = Math.min(fastest, (1_000 * (performance.now() - beganMs)) / REPEATS);
  }
  return fastest;
}

function measure(): CostOfChoice[] {
  const members = Array.from(
    { length: SERVERS },
    (_, index): Member => ({
      ...{ upstream: busyServer(`gpu-${index}`), upstreamModel: '', weight: 1, version: undefined },
    }),
  );
  const pool: Pool = { name: 'bench', members, choice: 'affinity', sessionHeaders: ['x-session-id'] };
  const router = new Router({
    now: () => performance.now(),
    random: Math.random,
    waiting: { callsMax: 100, waitMsMax: 10_000 },
  });
  const request = requestBytes('chat', { port: 0, key: '' }).toString('latin1');
  const body = JSON.parse(request.slice(request.indexOf('\r\n\r\n')));
  const headers = { 'content-type': 'application/json' };
  const hash = () => affinityHash('/v1/chat/completions', body, headers, pool.sessionHeaders);
  return [
    { what: "hash of the prompt's beginning", microseconds: microsecondsOf(hash) },
    {
      what: 'choice by that hash, with it',
      microseconds: microsecondsOf(() => router.choose(pool, hash(), [])),
    },
    { what: 'choice by load', microseconds: microsecondsOf(() => router.choose(pool, undefined, [])) },
  ];
}

process.send?.(measure());
process.on('disconnect', () => process.exit(0));
