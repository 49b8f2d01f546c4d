/** How close a caller is to its limits: of several limits of a kind, the one that is closest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsUsed } from '../../src/admission/tickets/limits-used.ts';
import type { Scope, ScopeState, ScopesOfCall } from '../../src/redis/ticket-table.ts';

const unlimited = { perMinute: undefined, burst: undefined };

function scope(name: string, more: Partial<Scope>): Scope {
  return { name, requests: unlimited, tokens: unlimited, slots: undefined, quotas: [], ...more };
}

function state(more: Partial<ScopeState>): ScopeState {
  return {
    ...{ requestsLeft: -1, requestsFullInMs: 0, tokensLeft: -1, tokensFullInMs: 0, slotsTaken: 0 },
    used: [],
    ...more,
  };
}

const of = (scopes: readonly (Scope | undefined)[], states: Record<string, ScopeState>) =>
  limitsUsed(scopes as unknown as ScopesOfCall, new Map(Object.entries(states)));

test('who has no limits is close to none', () => {
  assert.equal(of([undefined, undefined, undefined, undefined], {}), undefined);
});

test('of tenant and key the one that is closer counts, each kind for itself', () => {
  const tenant = scope('tenant', { requests: { perMinute: 60, burst: 10 }, slots: 4 });
  const key = scope('key:k', { requests: { perMinute: 60, burst: 100 }, slots: 2 });
  const used = of([tenant, key], {
    tenant: state({ requestsFullInMs: 5_000, slotsTaken: 1 }),
    'key:k': state({ requestsFullInMs: 90_000, slotsTaken: 1 }),
  });
  assert.deepEqual(used, {
    ...{ requestsPerMinute: 0.9, tokensPerMinute: undefined, maxConcurrent: 0.5, quota: undefined },
    tokenDebt: 0,
  });
});

test('a bucket that owes tokens is used to more than all, and says how many it owes', () => {
  const tenant = scope('tenant', { tokens: { perMinute: 6_000, burst: 1_000 } });
  const used = of([tenant], { tenant: state({ tokensFullInMs: 15_000 }) });
  assert.equal(used?.tokensPerMinute, 1.5);
  assert.equal(used?.tokenDebt, 500);
});

test('of a quota the dimension that is most used counts; a limit of nothing is used up', () => {
  const max = [100, 1_000, undefined, undefined, undefined];
  const tenant = scope('tenant', { quotas: [{ period: 3, max }], slots: 0 });
  const used = of([tenant], { tenant: state({ used: [[10, 700, 5, 0, 0]] }) });
  assert.equal(used?.quota, 0.7);
  assert.equal(used?.maxConcurrent, 1);
});
