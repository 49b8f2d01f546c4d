/** What calls and jobs have cost, as it stands in the books of their tenants. */
import type { Charge, Settlement } from '../core/ticket.ts';
import type { LabelNames } from './call-metrics.ts';
import type { MetricMaker } from './maker.ts';
import type { Spread } from './spread.ts';

/** As in OpenTelemetry's GenAI conventions, as far as contexts go. */
const REQUEST_TOKENS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];
const ESTIMATE_RATIOS = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10];
const ESTIMATES_SAMPLED = 16;
const NANO = 1e9;

interface Sums {
  input: number;
  output: number;
  cached: number;
  reservedInput: number;
  reservedOutput: number;
  gpuMs: number;
  costNano: number;
}

export class ChargeMetrics {
  readonly #names: LabelNames;
  readonly #models = new Map<string, Sums>();
  readonly #tenants = new Map<string, Sums>();
  readonly #requestTokens: Spread;
  readonly #estimates: Spread;
  readonly #estimatesSeen = { input: 0, output: 0 };

  constructor(make: MetricMaker, names: LabelNames) {
    this.#names = names;
    this.#ofModels(make);
    this.#ofTenants(make);
    this.#requestTokens = make.spread(
      'sluice_request_tokens',
      'Tokens of one charged call.',
      ['model', 'kind'],
      REQUEST_TOKENS,
    );
    this.#estimates = make.spread(
      'sluice_estimate_ratio',
      'Tokens as the GPU server counted them, divided by the estimate; of every sixteenth call.',
      ['model', 'kind'],
      ESTIMATE_RATIOS,
    );
  }

  /** Comes with every call. @param model public name, or the path of a pass-through route */
  charged(tenant: string, model: string, reserved: Charge, { spent, cachedTokens }: Settlement): void {
    const label = this.#names.models.labelOf(model);
    add(sumsOf(this.#models, label), reserved, spent, cachedTokens);
    add(sumsOf(this.#tenants, this.#names.tenants.labelOf(tenant)), reserved, spent, cachedTokens);
    if (spent.inputTokens > 0) this.#requestTokens.add(`${label} input`, spent.inputTokens);
    if (spent.outputTokens > 0) this.#requestTokens.add(`${label} output`, spent.outputTokens);
  }

  /** Comes with every call; one of sixteen tells as much of how they are spread. */
  estimateErred(model: string, kind: 'input' | 'output', ratio: number): void {
    const seen = this.#estimatesSeen[kind];
    this.#estimatesSeen[kind] = seen + 1;
    if (seen % ESTIMATES_SAMPLED > 0) return;
    this.#estimates.add(`${this.#names.models.labelOf(model)} ${kind}`, ratio);
  }

  #ofModels(make: MetricMaker): void {
    const of = this.#models;
    make.counters('sluice_tokens_total', 'Tokens that were charged.', ['model', 'kind'], (put) => {
      for (const [model, { input, output, cached }] of of) {
        put({ model, kind: 'input' }, input);
        put({ model, kind: 'output' }, output);
        put({ model, kind: 'cached' }, cached);
      }
    });
    make.counters(
      'sluice_reserved_tokens_total',
      'Tokens that the same calls had reserved before they ran.',
      ['model', 'kind'],
      (put) => {
        for (const [model, { reservedInput, reservedOutput }] of of) {
          put({ model, kind: 'input' }, reservedInput);
          put({ model, kind: 'output' }, reservedOutput);
        }
      },
    );
    make.counters('sluice_cost_usd_total', 'What was charged, in US dollars.', ['model'], (put) => {
      for (const [model, { costNano }] of of) put({ model }, costNano / NANO);
    });
    make.counters('sluice_gpu_seconds_total', 'Time of GPUs that was charged.', ['model'], (put) => {
      for (const [model, { gpuMs }] of of) put({ model }, gpuMs / 1_000);
    });
  }

  #ofTenants(make: MetricMaker): void {
    const of = this.#tenants;
    make.counters('sluice_tenant_tokens_total', 'Tokens that were charged.', ['tenant', 'kind'], (put) => {
      for (const [tenant, { input, output, cached }] of of) {
        put({ tenant, kind: 'input' }, input);
        put({ tenant, kind: 'output' }, output);
        put({ tenant, kind: 'cached' }, cached);
      }
    });
    make.counters('sluice_tenant_cost_usd_total', 'What was charged, in US dollars.', ['tenant'], (put) => {
      for (const [tenant, { costNano }] of of) put({ tenant }, costNano / NANO);
    });
  }
}

function sumsOf(all: Map<string, Sums>, label: string): Sums {
  let sums = all.get(label);
  if (!sums) {
    sums = { input: 0, output: 0, cached: 0, reservedInput: 0, reservedOutput: 0, gpuMs: 0, costNano: 0 };
    all.set(label, sums);
  }
  return sums;
}

function add(sums: Sums, reserved: Charge, spent: Charge, cachedTokens: number): void {
  sums.input += spent.inputTokens;
  sums.output += spent.outputTokens;
  sums.cached += cachedTokens;
  sums.reservedInput += reserved.inputTokens;
  sums.reservedOutput += reserved.outputTokens;
  sums.gpuMs += spent.gpuMs;
  sums.costNano += spent.costNano;
}
