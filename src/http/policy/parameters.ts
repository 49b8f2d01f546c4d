/** What a policy says of the parameters of a request: taken out, forced, filled in, lowered. */
import { kindOf } from '../../core/parameters.ts';
import type { Policy } from '../../core/policy.ts';
import type { BodyDraft } from '../body-draft.ts';
import type { Endpoint } from '../endpoints.ts';

/**
 * The parameter that a policy calls `max_tokens`, by the names of the operation. The first one is filled in where a
 * client used none of them.
 */
const lengthNames: Readonly<Record<string, readonly string[]>> = {
  '/v1/chat/completions': ['max_tokens', 'max_completion_tokens'],
  '/v1/completions': ['max_tokens'],
  '/v1/responses': ['max_output_tokens'],
};

/** What servers of any kind read as the length of an answer; `n_predict`, llama.cpp's own, comes before the others. */
const lengthFields = ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'n_predict'];

/** Parameters of generation are not added to operations that generate nothing, which refuse what they do not know. */
export function applyParameters(draft: BodyDraft, endpoint: Endpoint, policy: Policy): void {
  for (const name of policy.removed) {
    if (name === 'max_tokens') for (const field of lengthFields) draft.remove(field);
    else draft.remove(name);
  }
  for (const [name, value] of Object.entries(policy.forced)) {
    if (name === 'max_tokens') forceLength(draft, endpoint, value);
    else if (endpoint.streams !== 'never' || Object.hasOwn(draft.value, name)) draft.set(name, value);
  }
  for (const [name, value] of Object.entries(policy.defaults)) {
    if (name === 'max_tokens') fillLength(draft, endpoint, value);
    else if (endpoint.streams !== 'never' && isAbsent(draft.value[name])) draft.set(name, value);
  }
  for (const [name, cap] of Object.entries(policy.caps)) {
    if (name === 'max_tokens') capLength(draft, endpoint, cap);
    else if (isOver(name, draft.value[name], cap)) draft.set(name, cap);
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Servers take numbers in quotes, except for the fields whose type the gateway has checked. */
function isOver(name: string, value: unknown, cap: number): boolean {
  if (typeof value === 'number') return value > cap;
  return typeof value === 'string' && kindOf(name) === undefined && Number(value) > cap;
}

function forceLength(draft: BodyDraft, endpoint: Endpoint, value: unknown): void {
  const own = lengthNames[endpoint.path] ?? [];
  for (const field of lengthFields) {
    if (isAbsent(draft.value[field])) continue;
    if (own.includes(field)) draft.set(field, value);
    else draft.remove(field);
  }
  fillLength(draft, endpoint, value);
}

function fillLength(draft: BodyDraft, endpoint: Endpoint, value: unknown): void {
  const own = lengthNames[endpoint.path] ?? [];
  const [first] = own;
  if (first !== undefined && own.every((name) => isAbsent(draft.value[name]))) draft.set(first, value);
}

/** Below zero means: until the context ends. What is no number at all was not checked, and may be read as one. */
function capLength(draft: BodyDraft, endpoint: Endpoint, cap: number): void {
  for (const field of lengthFields) {
    const value = draft.value[field];
    if (isAbsent(value)) continue;
    if (typeof value !== 'number' || value > cap || value < 0) draft.set(field, cap);
  }
  fillLength(draft, endpoint, cap);
}
