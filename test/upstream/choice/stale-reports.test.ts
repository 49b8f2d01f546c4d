import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadReport, loadOf } from '../../../src/upstream/choice/load-of.ts';
import { type Candidate, chooseOfTwo } from '../../../src/upstream/choice/power-of-two.ts';
import { type Random, seeded } from '../support/splits.ts';

const REPLICAS = 4;
const SERVERS = 6;
const REPORT_EVERY_MS = 1_000;
const CALLS = 20_000;
const CALLS_PER_MS = 0.06;
const CALL_MEAN_MS = 1_500;

/** What one replica knows of one server. */
class View implements Candidate {
  readonly key: string;
  readonly weight = 1;
  inFlight = 0;
  othersInFlight = 0;
  reported: LoadReport | undefined;
  readonly #nowMs: () => number;

  constructor(key: string, nowMs: () => number) {
    this.key = key;
    this.#nowMs = nowMs;
  }

  load(): number {
    return loadOf(this, this.#nowMs());
  }
}

type Choose = (views: readonly View[], random: Random) => View | undefined;

/** Calls at once on the fullest server, all but always. All replicas hear of a server at the same moment. */
function onFullest(Kind: typeof View, choose: Choose): number {
  const random = seeded(11);
  let nowMs = 0;
  const replicas = Array.from({ length: REPLICAS }, () =>
    Array.from({ length: SERVERS }, (_, index) => new Kind(`gpu-${index}`, () => nowMs)),
  );
  const onServer = (index: number) => replicas.reduce((sum, views) => sum + (views[index]?.inFlight ?? 0), 0);
  let running: { readonly view: View; readonly endsAtMs: number }[] = [];
  const nextReportsAtMs = Array.from({ length: SERVERS }, () => random() * REPORT_EVERY_MS);
  const fullest: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    nowMs -= Math.log(1 - random()) / CALLS_PER_MS;
    for (const { view, endsAtMs } of running) if (endsAtMs <= nowMs) view.inFlight -= 1;
    running = running.filter(({ endsAtMs }) => endsAtMs > nowMs);
    for (const [index, atMs] of nextReportsAtMs.entries()) {
      if (nowMs < atMs) continue;
      nextReportsAtMs[index] = nowMs + REPORT_EVERY_MS * (0.8 + 0.4 * random());
      for (const views of replicas) hear(views[index], onServer(index), nowMs);
    }
    const view = choose(replicas[Math.floor(random() * REPLICAS)] ?? [], random);
    if (!view) continue;
    view.inFlight += 1;
    running.push({ view, endsAtMs: nowMs - CALL_MEAN_MS * Math.log(1 - random()) });
    fullest.push(Math.max(...(replicas[0]?.map((_, index) => onServer(index)) ?? [])));
  }
  return fullest.sort((one, other) => one - other)[Math.floor(0.99 * fullest.length)] ?? 0;
}

function hear(view: View | undefined, total: number, nowMs: number): void {
  if (!view) return;
  view.othersInFlight = total - view.inFlight;
  view.reported = { running: total, waiting: 0, ownInFlight: view.inFlight, readAtMs: nowMs };
}

/** Old figures as good as exact ones. */
class Believer extends View {
  override load(): number {
    return this.inFlight + this.othersInFlight;
  }
}

test('replicas with old figures of each other do not run after the same server', (t) => {
  const mean = (CALLS_PER_MS * CALL_MEAN_MS) / SERVERS;
  const two = onFullest(View, chooseOfTwo);
  const believed = onFullest(Believer, chooseOfTwo);
  const one = onFullest(View, (views, random) => views[Math.floor(random() * views.length)]);
  t.diagnostic(
    `p99 of the fullest server: ${two}, believing old figures ${believed}, one draw ${one}, mean of all ${mean}`,
  );
  assert.ok(two - mean < 0.8 * (believed - mean));
  assert.ok(two - mean < 0.8 * (one - mean));
});
