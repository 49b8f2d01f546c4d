/** What a random sequence consists of: limits, calls, endings and steps of time. */

import { noCharge, type Settlement } from '../../../src/core/ticket.ts';
import type {
  Bucket,
  Scope,
  ScopeQuota,
  ScopesOfCall,
  TicketRequest,
} from '../../../src/redis/ticket-table.ts';
import { seededRandom } from '../../cluster/seeded-random.ts';
import { periodEndMs } from './reference-parts.ts';

export interface Dice {
  /** 0 … below - 1. */
  below(below: number): number;
  chance(share: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
}

export function diceOf(seed: number): Dice {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  return {
    below,
    chance: (share) => random() < share,
    pick: (list) => list[below(list.length)] ?? list[0],
  };
}

const keyIds = ['k1', 'k2', 'k3'] as const;
const models = ['m1', 'org/m:2'] as const;

/** By name of the scope. */
export type LimitsOfAll = ReadonlyMap<string, Scope>;

export function randomLimits(dice: Dice): LimitsOfAll {
  const names = ['tenant', ...models.map((model) => `model:${model}`)];
  for (const key of keyIds) names.push(`key:${key}`, ...models.map((model) => `key:${key}:model:${model}`));
  const scopes = names
    .filter((name) => !name.includes('model:') || dice.chance(0.5))
    .map((name) => randomScope(dice, name));
  return new Map(scopes.map((scope) => [scope.name, scope]));
}

function randomScope(dice: Dice, name: string): Scope {
  const hasQuotas = !name.includes('model:');
  return {
    name,
    requests: randomPace(dice, [7, 60, 100, 700, 6_000]),
    tokens: randomPace(dice, [1_000, 7_000, 60_000, 300_000]),
    slots: dice.pick([undefined, 1, 2, 4, 9]),
    quotas: hasQuotas ? [1, 2, 3, 4, 5].filter(() => dice.chance(0.4)).map((p) => randomQuota(dice, p)) : [],
  };
}

function randomPace(dice: Dice, rates: readonly [number, ...number[]]): Bucket {
  if (dice.chance(0.25)) return { perMinute: undefined, burst: undefined };
  const perMinute = dice.pick(rates);
  return { perMinute, burst: Math.ceil(perMinute * dice.pick([0.1, 0.5, 1, 1, 2])) };
}

function randomQuota(dice: Dice, period: number): ScopeQuota {
  const scale = [0, 1, 5, 20, 60, 5_000][period] ?? 1;
  const most = [20, 20_000, 10, 50_000, 10_000_000];
  return { period, max: most.map((max) => (dice.chance(0.35) ? max * scale : undefined)) };
}

/** @param before of the same name, to be resumed */
export function randomCall(
  dice: Dice,
  limits: LimitsOfAll,
  ticket: string,
  before?: TicketRequest,
): TicketRequest {
  const keyId = before?.keyId ?? dice.pick(keyIds);
  const model = before?.model ?? dice.pick(models);
  const scopes: ScopesOfCall = [
    limits.get('tenant'),
    limits.get(`key:${keyId}`),
    limits.get(`model:${model}`),
    limits.get(`key:${keyId}:model:${model}`),
  ];
  const all = { quota: true, rate: true, slot: true };
  const some = { quota: dice.chance(0.5), rate: dice.chance(0.5), slot: dice.chance(0.5) };
  const charge = {
    requests: 1,
    inputTokens: dice.chance(0.1) ? 0 : dice.below(dice.pick([50, 500, 4_000])),
    outputTokens: dice.chance(0.2) ? 0 : dice.below(dice.pick([50, 500, 4_000])),
    images: dice.chance(0.8) ? 0 : dice.below(4),
    gpuMs: dice.chance(0.5) ? 0 : dice.below(5_000),
    costNano: dice.chance(0.5) ? 0 : dice.below(1_000_000),
  };
  const parts = dice.chance(0.7) ? all : some;
  return { ticket, keyId, model, scopes, parts, charge, resumes: before !== undefined };
}

/** Undefined: void. Else 0.1 to 3 times what was reserved. */
export function randomSettlement(dice: Dice, { charge }: TicketRequest): Settlement | undefined {
  if (dice.chance(0.15)) return undefined;
  const share = 0.1 + dice.below(30) / 10;
  const of = (amount: number) => Math.round(amount * share);
  const spent = {
    ...noCharge,
    requests: dice.chance(0.9) ? 1 : 0,
    inputTokens: of(charge.inputTokens),
    outputTokens: of(charge.outputTokens),
    images: of(charge.images),
    gpuMs: of(charge.gpuMs),
    costNano: of(charge.costNano),
  };
  const status = dice.pick([200, 200, 200, 499, 502]);
  return {
    spent,
    cachedTokens: dice.below(9),
    status,
    route: '/v1/x',
    requestId: 'r',
    durationMs: dice.below(99),
  };
}

/** Mostly milliseconds, now and then to the edge of a period, far ahead, or back. */
export function randomTime(dice: Dice, nowMs: number): number {
  const kind = dice.below(100);
  if (kind < 55) return nowMs + dice.below(60);
  if (kind < 80) return nowMs + dice.below(10_000);
  if (kind < 88) return nowMs + dice.below(60_000);
  if (kind < 91) return nowMs + dice.below(3_600_000);
  if (kind < 96) return nowMs + periodEndMs(dice.pick([1, 2, 3, 4]), nowMs) - 1 + dice.below(3);
  if (kind < 97) return nowMs + dice.below(70 * 86_400_000);
  if (kind < 99) return nowMs - dice.below(5_000);
  return dice.chance(0.3) ? nowMs - 3_600_000 : nowMs;
}
