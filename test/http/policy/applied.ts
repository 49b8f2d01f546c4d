/** A request body as policies make it, and policies of which only the rules that matter are given. */
import assert from 'node:assert/strict';
import type { Refusal } from '../../../src/core/errors.ts';
import { JsonScanner } from '../../../src/core/json-scan.ts';
import type { Policy } from '../../../src/core/policy.ts';
import type { JsonBody } from '../../../src/http/body.ts';
import { endpoints } from '../../../src/http/endpoints.ts';
import { type Applied, applyPolicies } from '../../../src/http/policy/apply.ts';

export const caps = { n: 8, max_tokens: 100_000, stop: 4, logprobs: 20 };
export const ADDED_BYTES_MAX = 1_000_000;

export type Path = (typeof endpoints)[number]['path'];

export function policy(rules: Partial<Policy>): Policy {
  return {
    ...{ name: 'p', model: undefined, default_model: undefined },
    ...{ defaults: {}, forced: {}, caps: {}, removed: [] },
    ...{ system_text: undefined, suffix_text: undefined, media_hosts: undefined },
    ...rules,
  };
}

export function bodyOf(text: string): JsonBody {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner({ depthMax: 64, valuesMax: 100_000 });
  assert.ok(scanner.feed(bytes), 'the scanner takes the body');
  return { bytes, value: JSON.parse(text) as Record<string, unknown>, members: scanner.members };
}

export function apply(path: Path, body: JsonBody, policies: readonly Policy[]): Applied | Refusal {
  const endpoint = endpoints.find((one) => one.path === path);
  assert.ok(endpoint);
  return applyPolicies(endpoint, body, policies, { caps, addedBytesMax: ADDED_BYTES_MAX });
}

/** Fails if the policies refuse the request, or if bytes, value and places do not say the same. */
export function applied(
  path: Path,
  text: string,
  ...policies: Policy[]
): Applied & { readonly text: string } {
  const given = bodyOf(text);
  const before = structuredClone(given.value);
  const result = apply(path, given, policies);
  assert.ok('body' in result, JSON.stringify(result));
  assert.deepEqual(given.value, before, 'the client’s own body is left alone');
  assert.equal(given.bytes.toString(), text);
  assertCoherent(result.body);
  return { ...result, text: result.body.bytes.toString() };
}

export function assertCoherent({ bytes, value, members }: JsonBody): void {
  const text = bytes.toString();
  assert.deepEqual(JSON.parse(text), value, text.slice(0, 500));
  const places = [...members].map(([name, { start, end }]) => [name, start, end]);
  const expected = [...bodyOf(text).members].map(([name, { start, end }]) => [name, start, end]);
  assert.deepEqual(places.toSorted(), expected.toSorted(), text.slice(0, 500));
}

export function refusedBy(
  path: Path,
  text: string,
  ...policies: Policy[]
): [name: string, param: string | null] {
  const result = apply(path, bodyOf(text), policies);
  assert.ok(!('body' in result), 'the request is refused');
  return [result.name, result.param];
}
