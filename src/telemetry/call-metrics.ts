/** Ended calls of clients: how many, how they ended, how long they took. */
import type { Call, Outcome } from '../core/call.ts';
import type { FirstNames } from './first-names.ts';
import type { MetricMaker } from './maker.ts';
import type { Spread } from './spread.ts';
import type { Tally } from './tally.ts';

// Buckets of OpenTelemetry's GenAI conventions.
const DURATION_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const OVERHEAD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/** A call whose response has closed. */
export interface EndedCall {
  readonly call: Call;
  readonly outcome: Outcome;
  readonly endedAtMs: number;
}

export interface LabelNames {
  readonly tenants: FirstNames;
  readonly models: FirstNames;
}

export class CallMetrics {
  readonly #names: LabelNames;
  readonly #requests: Tally;
  readonly #errors: Tally;
  readonly #tenantRequests: Tally;
  readonly #unasked: Tally;
  readonly #jobs: Tally;
  readonly #duration: Spread;
  readonly #firstToken: Spread;
  readonly #perToken: Spread;
  readonly #overhead: Spread;

  constructor(make: MetricMaker, names: LabelNames) {
    this.#names = names;
    this.#requests = make.tally('sluice_requests_total', 'Requests that have ended.', [
      ...['route', 'model', 'status', 'outcome', 'blame'],
    ]);
    this.#errors = make.tally('sluice_errors_total', 'Errors of the gateway that callers got.', [
      ...['error', 'blame'],
    ]);
    this.#tenantRequests = make.tally(
      'sluice_tenant_requests_total',
      'Requests with a valid key that have ended.',
      ['tenant', 'outcome'],
    );
    this.#unasked = make.tally(
      'sluice_answers_unasked_total',
      'Calls for which no GPU server was asked, by where their answer came from.',
      ['model', 'from'],
    );
    this.#jobs = make.tally('sluice_jobs_accepted_total', 'Requests of which a job was made.', [
      ...['route', 'model'],
    ]);
    this.#duration = make.spread(
      'sluice_request_duration_seconds',
      'From the first byte of a request to the end of its answer.',
      ['route', 'model'],
      DURATION_SECONDS,
    );
    this.#firstToken = make.spread(
      'sluice_time_to_first_token_seconds',
      'From the first byte of a request to the first byte of its stream.',
      ['route', 'model'],
      FIRST_TOKEN_SECONDS,
    );
    this.#perToken = make.spread(
      'sluice_time_per_output_token_seconds',
      'From the first byte of a stream to its end, divided by the tokens behind the first.',
      ['route', 'model'],
      TOKEN_SECONDS,
    );
    this.#overhead = make.spread(
      'sluice_gateway_overhead_seconds',
      'Time of a request for which nobody waited for the GPU server.',
      [],
      OVERHEAD_SECONDS,
    );
  }

  ended({ call, outcome, endedAtMs }: EndedCall): void {
    const { route, status, principal, refusal, answeredFrom } = call;
    const model = call.model === undefined ? 'none' : this.#names.models.labelOf(call.model);
    const where = `${route} ${model}`;
    const blame = call.blame() ?? 'none';
    this.#requests.count(`${where} ${status} ${outcome} ${blame}`);
    this.#duration.add(where, (endedAtMs - call.startedAtMs) / 1_000);
    // Others wait on purpose, as polls of jobs do, or are refused at once.
    if (call.forwardedAtMs > 0) this.#overhead.add('', call.gatewayMs(endedAtMs) / 1_000);
    if (call.streamed && call.firstByteAtMs > 0) this.#streamed(call, where, endedAtMs);
    if (principal) {
      this.#tenantRequests.count(`${this.#names.tenants.labelOf(principal.tenant)} ${outcome}`);
    }
    if (refusal) this.#errors.count(`${refusal.name} ${blame}`);
    if (answeredFrom !== 'upstream') this.#unasked.count(`${model} ${answeredFrom}`);
    if (call.isNewJob) this.#jobs.count(where);
  }

  #streamed(call: Call, where: string, endedAtMs: number): void {
    const { startedAtMs, firstByteAtMs, usage, answeredFrom } = call;
    this.#firstToken.add(where, (firstByteAtMs - startedAtMs) / 1_000);
    if (answeredFrom !== 'upstream' || usage === undefined || usage.outputTokens < 2) return;
    const lastAtMs = Math.max(firstByteAtMs, call.upstreamEndedAtMs || endedAtMs);
    this.#perToken.add(where, (lastAtMs - firstByteAtMs) / 1_000 / (usage.outputTokens - 1));
  }
}
