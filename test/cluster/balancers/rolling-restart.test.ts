/**
 * Case P6: replicas are restarted one after the other behind real balancers, with 100 live streams through both or,
 * in the long form, through each. No stream is cut and no call fails. Streams last one or two seconds and the drain waits
 * for thirty, so none has a reason to be cut.
 */
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { type TestContext, test } from 'node:test';
import { createSimulator } from '../../../src/simulator/server.ts';
import { type Balancer, type BalancerName, startBalancer } from '../../deploy/support/balancer.ts';
import { freePorts } from '../../deploy/support/live.ts';
import { ask } from '../../deploy/support/secure-client.ts';
import { bearer } from '../../http/client.ts';
import { exitOf } from '../../roles/support.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { missingPrograms } from '../../support/programs.ts';
import { startRedis } from '../../support/redis.ts';
import { hello } from '../../upstream/support/caller.ts';
import { isLong } from '../support/gateways.ts';

const REPLICAS = 3;
const ROUNDS = isLong ? 3 : 1;
/** Through each balancer. */
const STREAMS = isLong ? 100 : 50;
const CALLERS = 4;
const CALL_PAUSE_MS = 20;
const STREAM_TOKENS = isLong ? 20 : 12;
const TOKEN_MS = 100;
const MODELS = ['streamed', 'called'] as const;

const names: readonly BalancerName[] = ['nginx', 'haproxy'];
const skip = missingPrograms(...names, 'openssl');

test(`live streams and steady calls through ${names.join(' and ')} while ${REPLICAS} replicas restart`, {
  skip,
  timeout: ROUNDS * 100_000,
}, async (t) => {
  const ground = await startGround(t);
  const { replicas, loads } = ground;
  await ground.untilMoreHasEnded();
  const beganAtMs = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, replica] of replicas.entries()) {
      const running = await replica.metric('sluice_streams_open');
      replica.process.kill('SIGTERM');
      assert.equal(await exitOf(replica), 0);
      const { cut, took_ms } = await lastDrain(replica);
      t.diagnostic(`replica ${at + 1} drained ${running} streams in ${took_ms} ms, ${cut} cut`);
      assert.equal(cut, 0);
      await replica.stop();
      replicas[at] = await ground.start(new URL(replica.url).port);
      await ground.untilMoreHasEnded();
    }
  }
  const seconds = (performance.now() - beganAtMs) / 1_000;
  for (const load of loads) {
    await load.end();
    const { name, streamsEnded, callsEnded, outcomes } = load;
    t.diagnostic(
      `${name}: ${REPLICAS * ROUNDS} restarts in ${seconds.toFixed(1)} s under ${STREAMS} streams; ` +
        `${streamsEnded} streams and ${callsEnded} calls ended: ${JSON.stringify(outcomes)}`,
    );
    assert.deepEqual(Object.keys(outcomes).sort(), ['200, whole call', '200, whole stream'], name);
  }
});

/** Replicas, a balancer of each kind before them, and a load on each. */
async function startGround(t: TestContext) {
  const simulator = createSimulator({ models: MODELS, tokens: STREAM_TOKENS });
  simulator.state.addFault({ token_ms: TOKEN_MS, prompt: STREAMED });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const redis = await startRedis();
  const replicas: TestGateway[] = [];
  const balancers: Balancer[] = [];
  const loads: Load[] = [];
  t.after(async () => {
    await Promise.all(loads.map((load) => load.end()));
    await Promise.all(balancers.map((balancer) => balancer.stop()));
    await Promise.all(replicas.map((replica) => replica.stop()));
    await simulator.close();
    await redis.stop();
  });
  const config = {
    redis: { command_timeout_ms: 5_000 },
    upstreams: [{ name: 'gpu', url }],
    models: MODELS.map((name) => ({ name, upstreams: ['gpu'] })),
  };
  const start = (port: string, makeKey = false) =>
    startGateway({ redis, config, env: { PORT: port }, makeKey });
  for (let at = 0; at < REPLICAS; at += 1) {
    // None that a connection could take by itself while its replica is away.
    const [port] = await freePorts();
    replicas.push(await start(String(port), at === 0));
  }
  for (const name of names) {
    const balancer = await startBalancer(name, { gateways: replicas.map((replica) => replica.url) });
    balancers.push(balancer);
    loads.push(new Load(balancer, replicas[0]?.key ?? ''));
  }
  const untilMoreHasEnded = () => {
    const goals = loads.map((load) => [load, load.streamsEnded + 20, load.callsEnded + 20] as const);
    const isReached = () =>
      goals.every(([load, streams, calls]) => load.streamsEnded >= streams && load.callsEnded >= calls);
    return until(isReached, 'more streams and calls to end', 30_000);
  };
  return { replicas, loads, start, untilMoreHasEnded };
}

const STREAMED = 'word by word';

/** Holds so many streams open, and makes short calls one after the other, until it is told to end. */
class Load {
  readonly name: BalancerName;
  readonly outcomes: Record<string, number> = {};
  streamsEnded = 0;
  callsEnded = 0;
  readonly #balancer: Balancer;
  readonly #headers: Record<string, string>;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #lanes: Promise<void>[];
  #isOver = false;

  constructor(balancer: Balancer, key: string) {
    this.name = balancer.name;
    this.#balancer = balancer;
    this.#headers = bearer(key);
    this.#lanes = [
      ...Array.from({ length: STREAMS }, () => this.#repeat(() => this.#stream())),
      ...Array.from({ length: CALLERS }, () => this.#repeat(() => this.#call())),
    ];
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    this.#agent.destroy();
  }

  async #repeat(act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) await act();
  }

  async #stream(): Promise<void> {
    const messages = [{ role: 'user', content: STREAMED }];
    const isWhole = (text: string) =>
      text.endsWith('data: [DONE]\n\n') && text.match(/"content":"[^"]/g)?.length === STREAM_TOKENS;
    await this.#exchange({ model: 'streamed', stream: true, messages }, isWhole, 'stream');
    this.streamsEnded += 1;
  }

  async #call(): Promise<void> {
    const isWhole = (text: string) => text.includes('"finish_reason":"length"');
    await this.#exchange({ model: 'called', max_tokens: 2, messages: hello }, isWhole, 'call');
    this.callsEnded += 1;
    await new Promise((resolve) => setTimeout(resolve, CALL_PAUSE_MS));
  }

  async #exchange(body: object, isWhole: (text: string) => boolean, kind: string): Promise<void> {
    const outcome = await ask(this.#balancer, {
      headers: this.#headers,
      body: JSON.stringify(body),
      agent: this.#agent,
    }).then(
      ({ status, body: got }) => {
        const text = got.toString();
        return `${status}, ${isWhole(text) ? 'whole' : `broken: ${text.slice(-200)}`} ${kind}`;
      },
      (error: Error) => `${error.message} ${kind}`,
    );
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }
}

/** What the replica wrote at the end of its drain. */
async function lastDrain(replica: TestGateway): Promise<{ cut?: number; took_ms?: number }> {
  const lines = (await replica.logText()).split('\n').filter((line) => line.includes('"phase":"done"'));
  return JSON.parse(lines.at(-1) ?? '{}') as { cut?: number; took_ms?: number };
}
