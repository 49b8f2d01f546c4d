import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Call, Outcome } from '../core/call.ts';
import type { Usage } from '../core/usage.ts';
import { type ServerReadings, serverGauges } from './server-gauges.ts';
import { Tally } from './tally.ts';

// Buckets of OpenTelemetry's GenAI conventions.
const DURATION_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const OVERHEAD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/** What is read when Prometheus asks, instead of being written with every change. */
export interface Readings extends ServerReadings {
  requestsInFlight(): number;
  streamsOpen(): number;
  redisUp(): boolean;
  draining(): boolean;
  ticketsOpen(): number;
  settlementsWaiting(): number;
  replicas(): number;
  installationLost(): boolean;
  callsWaiting(): number;
}

/** A call whose response has closed. */
export interface EndedCall {
  readonly call: Call;
  readonly outcome: Outcome;
  readonly endedAtMs: number;
}

/** Calls of a batch that have the same labels; most of them have, and a label set is dear to look up. */
interface Ending {
  readonly call: Call;
  readonly outcome: Outcome;
  count: number;
}

const ESTIMATES_SAMPLED = 16;

interface TokenSums {
  input: number;
  output: number;
  cached: number;
}

/**
 * The metrics of a replica. Every label value comes from the code or from the configuration: nothing that a
 * client made up can grow a series.
 */
export class Metrics {
  readonly registry = new Registry();

  /** How much traffic is there, how does it end, and who is to blame where it does not end well? */
  readonly #requests = this.#counter('sluice_requests_total', 'Requests that have ended.', [
    'route',
    'model',
    'status',
    'outcome',
    'blame',
  ]);
  /** How long do callers wait for the whole answer? */
  readonly #duration = this.#histogram(
    'sluice_request_duration_seconds',
    'From the first byte of a request to the end of its answer.',
    ['route', 'model'],
    DURATION_SECONDS,
  );
  /** How long do callers of a stream look at nothing? */
  readonly #firstToken = this.#histogram(
    'sluice_time_to_first_token_seconds',
    'From the first byte of a request to the first byte of its stream.',
    ['route', 'model'],
    FIRST_TOKEN_SECONDS,
  );
  /** Is it the gateway that is slow? */
  readonly #overhead = this.#histogram(
    'sluice_gateway_overhead_seconds',
    'Time of a request for which nobody waited for the GPU server.',
    [],
    OVERHEAD_SECONDS,
  );
  /** What do the GPU servers produce? */
  readonly #tokens = this.#counter('sluice_tokens_total', 'Tokens as the GPU servers counted them.', [
    'model',
    'kind',
  ]);
  /** What do equal calls save? */
  readonly #unasked = this.#counter(
    'sluice_answers_unasked_total',
    'Calls for which no GPU server was asked, by where their answer came from.',
    ['model', 'from'],
  );
  /** How often is a connection that the server has closed met, and the call sent again? */
  readonly #replays = this.#counter('sluice_upstream_replays_total', 'Calls sent to a GPU server again.', [
    'upstream',
  ]);
  /** Do GPU servers answer late even when they are asked for nothing? */
  readonly #probes = this.#histogram(
    'sluice_upstream_probe_seconds',
    'From the beginning of a probe to its answer, or to giving up.',
    ['upstream', 'result'],
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  );
  /** Do keys come from memory, as they should? */
  readonly #keyLookups = new Tally();
  /** Who is turned away, by which limit, and is it Redis that decides? The two in one, a space between them. */
  readonly #admissions = new Tally();
  /** Does every ticket find its way back? Anything but `open` has a story. */
  readonly #settlements = new Tally();
  /** Do replicas die with calls in their hands? */
  readonly #ticketsLost = this.#counter(
    'sluice_tickets_lost_total',
    'Tickets whose lease has run out because their holder died; their reservation was booked.',
    [],
  );
  /** Do replicas freeze, or lose Redis, for longer than a lease? */
  readonly #slotsRetaken = this.#counter(
    'sluice_slots_retaken_total',
    'Slots that were taken again after their lease had run out, above the limit if need be.',
    [],
  );
  /** Is usage being lost? */
  readonly #settlementsDropped = this.#counter(
    'sluice_settlements_dropped_total',
    'Settlements that were given up because Redis was away for too long.',
    [],
  );
  /** Are reservations right? */
  readonly #estimatesSeen = { input: 0, output: 0 };
  readonly #estimateErrors = this.#histogram(
    'sluice_estimate_ratio',
    'Tokens as the GPU server counted them, divided by the estimate; of every sixteenth call.',
    ['model', 'kind'],
    [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10],
  );
  /** Is the response cache worth its memory? */
  readonly #cacheReads = new Tally();
  /** Do callers who repeat a request get its answer? */
  readonly #idempotentRequests = new Tally();
  /** Is Redis slow? */
  readonly #redisCommands = this.#histogram(
    'sluice_redis_command_seconds',
    'From putting a question to Redis to its answer, or to giving up.',
    ['kind', 'outcome'],
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  );

  constructor(readings: Readings) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge(
      'sluice_requests_in_flight',
      'Requests that have begun and not ended.',
      readings.requestsInFlight,
    );
    this.#gauge('sluice_streams_open', 'Streams among the requests in flight.', readings.streamsOpen);
    this.#gauge('sluice_redis_up', '1 while Redis answers, 0 while the replica goes on without.', () =>
      Number(readings.redisUp()),
    );
    this.#gauge('sluice_draining', '1 once the replica has been told to end.', () =>
      Number(readings.draining()),
    );
    this.#gauge('sluice_tickets_open', 'Calls that hold a ticket.', readings.ticketsOpen);
    this.#gauge(
      'sluice_settlements_waiting',
      'Settlements that Redis has not confirmed.',
      readings.settlementsWaiting,
    );
    this.#gauge('sluice_replicas', 'Replicas seen alive, this one among them.', readings.replicas);
    this.#gauge(
      'sluice_installation_lost',
      '1 while Redis does not hold the data that this cluster has worked with.',
      () => Number(readings.installationLost()),
    );
    this.#gauge(
      'sluice_calls_waiting',
      'Calls that wait because all servers of their model are at their bound.',
      readings.callsWaiting,
    );
    serverGauges(this.registry, readings);
    this.#tallied(
      'sluice_key_lookups_total',
      'Keys checked, by where the answer came from.',
      this.#keyLookups,
      ['outcome'],
    );
    this.#tallied(
      'sluice_response_cache_total',
      'Requests for models that have a cache, by where their answer came from.',
      this.#cacheReads,
      ['result'],
    );
    this.#tallied(
      'sluice_idempotency_total',
      'Requests with an Idempotency-Key, by what was found.',
      this.#idempotentRequests,
      ['result'],
    );
    this.#tallied('sluice_admissions_total', 'Decisions on calls.', this.#admissions, ['outcome', 'limit']);
    this.#tallied(
      'sluice_settlements_total',
      'Tickets closed, by the state they were found in.',
      this.#settlements,
      ['found'],
    );
  }

  /** Comes with every call: counted here, and handed over when Prometheus asks. */
  keyLookup(outcome: string): void {
    this.#keyLookups.count(outcome);
  }

  /** Likewise. @param limit the one that refused, or empty */
  admissionDecided(outcome: string, limit: string): void {
    this.#admissions.count(limit === '' ? `${outcome} none` : `${outcome} ${limit}`);
  }

  /** @param result `hit`, `miss`, `shared` or `bypass` */
  cacheAsked(result: string): void {
    this.#cacheReads.count(result);
  }

  /** @param result `begun`, `running`, `finished`, `mismatch`, `full` or `unavailable` */
  onceAsked(result: string): void {
    this.#idempotentRequests.count(result);
  }

  ticketsSettled(found: readonly string[]): void {
    for (const state of found) this.#settlements.count(state);
  }

  ticketsLost(count: number): void {
    this.#ticketsLost.inc(count);
  }

  slotsRetaken(count: number): void {
    this.#slotsRetaken.inc(count);
  }

  settlementsDropped(count: number): void {
    this.#settlementsDropped.inc(count);
  }

  /** Comes with every call; one of sixteen tells as much of how they are spread. */
  estimateErred(model: string, kind: 'input' | 'output', ratio: number): void {
    const seen = this.#estimatesSeen[kind];
    this.#estimatesSeen[kind] = seen + 1;
    if (seen % ESTIMATES_SAMPLED === 0) this.#estimateErrors.observe({ model, kind }, ratio);
  }

  redisAsked(kind: string, seconds: number, outcome: string): void {
    this.#redisCommands.observe({ kind, outcome }, seconds);
  }

  probed(upstream: string, result: string, seconds: number): void {
    this.#probes.observe({ upstream, result }, seconds);
  }

  /** Takes over a batch of ended calls. */
  calls(batch: readonly EndedCall[]): void {
    const tokens = new Map<string, TokenSums>();
    const endings: Ending[] = [];
    for (const { call, outcome, endedAtMs } of batch) {
      countEnding(endings, call, outcome);
      this.#call(call, endedAtMs);
      if (call.usage && call.answeredFrom === 'upstream') addUsage(tokens, call.model ?? 'none', call.usage);
    }
    for (const { call, outcome, count } of endings) {
      const { route, model = 'none', status } = call;
      this.#requests.inc(
        { route, model, status: String(status), outcome, blame: call.blame() ?? 'none' },
        count,
      );
    }
    for (const [model, { input, output, cached }] of tokens) {
      this.#tokens.inc({ model, kind: 'input' }, input);
      this.#tokens.inc({ model, kind: 'output' }, output);
      this.#tokens.inc({ model, kind: 'cached' }, cached);
    }
  }

  #call(call: Call, endedAtMs: number): void {
    const { route } = call;
    const model = call.model ?? 'none';
    this.#duration.observe({ route, model }, (endedAtMs - call.startedAtMs) / 1_000);
    this.#overhead.observe({}, call.gatewayMs(endedAtMs) / 1_000);
    if (call.streamed && call.firstByteAtMs > 0) {
      this.#firstToken.observe({ route, model }, (call.firstByteAtMs - call.startedAtMs) / 1_000);
    }
    if (call.answeredFrom !== 'upstream') this.#unasked.inc({ model, from: call.answeredFrom });
    if (call.attempts > 1 && call.upstream) this.#replays.inc({ upstream: call.upstream }, call.attempts - 1);
  }

  async text(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** @param labelNames of the words that a tally is kept by, in their order */
  #tallied(name: string, help: string, tally: Tally, labelNames: string[]): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        for (const [words, count] of tally.take()) {
          const values = words.split(' ');
          this.inc(Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ''])), count);
        }
      },
    });
  }
}

function countEnding(endings: Ending[], call: Call, outcome: Outcome): void {
  for (const ending of endings) {
    if (ending.outcome !== outcome || !endAlike(ending.call, call)) continue;
    ending.count += 1;
    return;
  }
  endings.push({ call, outcome, count: 1 });
}

function endAlike(one: Call, other: Call): boolean {
  return (
    one.route === other.route &&
    one.model === other.model &&
    one.status === other.status &&
    one.blame() === other.blame()
  );
}

function addUsage(sums: Map<string, TokenSums>, model: string, usage: Usage): void {
  const sum = sums.get(model) ?? { input: 0, output: 0, cached: 0 };
  sum.input += usage.inputTokens;
  sum.output += usage.outputTokens;
  sum.cached += usage.cachedTokens;
  sums.set(model, sum);
}
