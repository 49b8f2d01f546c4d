/** The parameters of a policy: what may be set, to which values, and that its rules do not speak against each other. */
import { type Caps, capOf, isOfKind, isSubstance, kindOf, leastOf } from '../core/parameters.ts';
import { type Finding, formatPath, type Path, quoted } from './fault.ts';
import type { PolicyOutline } from './outline.ts';
import { isMapping } from './values.ts';

interface Rule {
  readonly rule: 'defaults' | 'forced' | 'caps' | 'removed';
  readonly parameter: string;
  /** Of a cap its number; undefined for what is removed. */
  readonly value: unknown;
  readonly path: Path;
}

/** @param general caps of the configuration, beyond which a request is refused */
export function checkParameters(policy: PolicyOutline, path: Path, general: Caps): Finding[] {
  const rules = rulesOf(policy, path);
  return rules.flatMap((rule) => {
    const finding =
      unfitName(rule) ??
      (rule.rule === 'caps' ? unfitCap(rule) : undefined) ??
      (rule.rule === 'defaults' || rule.rule === 'forced' ? unfitValue(rule, rules, general) : undefined) ??
      opposed(rule, rules);
    return finding ? [finding] : [];
  });
}

function rulesOf(policy: PolicyOutline, path: Path): Rule[] {
  const set = (['defaults', 'forced', 'caps'] as const).flatMap((rule) => {
    const given = policy[rule];
    const entries = isMapping(given) ? Object.entries(given) : [];
    return entries.map(([parameter, value]) => ({
      rule,
      parameter,
      value,
      path: [...path, rule, parameter],
    }));
  });
  const names: unknown[] = Array.isArray(policy.removed) ? policy.removed : [];
  const removed = names.flatMap((parameter, index) => {
    const place = { value: undefined, path: [...path, 'removed', index] };
    return typeof parameter === 'string' ? [{ rule: 'removed' as const, parameter, ...place }] : [];
  });
  return [...set, ...removed];
}

/** Also keeps names out that mean something to objects of JavaScript. */
const namePattern = /^[A-Za-z0-9][\x21-\x7e]{0,127}$/;

/** A rule on one of them would be got round by asking with another. */
const otherLengths: ReadonlySet<string> = new Set([
  'max_completion_tokens',
  'max_output_tokens',
  'n_predict',
]);

function unfitName({ parameter, path }: Rule): Finding | undefined {
  const name = quoted(parameter);
  if (!namePattern.test(parameter)) {
    const remedy = 'write it as it stands in requests, beginning with a letter';
    return { path, problem: `${name} is not the name of a parameter`, remedy };
  }
  if (isSubstance(parameter)) {
    return {
      path,
      problem: `${name} is what a request is about, and no parameter`,
      remedy: inPlaceOf(parameter),
    };
  }
  if (otherLengths.has(parameter)) {
    const remedy = 'write max_tokens, which stands for the field of each operation';
    return { path, problem: `${name} is what only some call it`, remedy };
  }
  return undefined;
}

function inPlaceOf(field: string): string {
  if (field === 'model') return 'use model or default_model of the policy';
  if (['messages', 'prompt', 'instructions'].includes(field))
    return 'remove it; for a text in front use system_text';
  return 'remove it';
}

function unfitCap({ parameter, value, path }: Rule): Finding | undefined {
  // What is not a number is found by the schema.
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const kind = kindOf(parameter);
  if (kind !== undefined && kind !== 'number' && kind !== 'integer') {
    return {
      path,
      problem: `${parameter} is not a number, so it cannot be capped`,
      remedy: 'remove the cap',
    };
  }
  const least = capOf(parameter) === 'logprobs' ? 0 : 1;
  const isCount = kind === 'integer' && parameter !== 'seed';
  if (!isCount || (Number.isSafeInteger(value) && value >= least)) return undefined;
  return { path, problem: `${value} cannot be a cap`, remedy: `write a whole number from ${least}` };
}

function unfitValue(rule: Rule, rules: readonly Rule[], general: Caps): Finding | undefined {
  const { parameter, value, path } = rule;
  if (value === null) {
    return { path, problem: 'null is no value', remedy: 'remove it, or name the parameter under removed' };
  }
  if (!isJson(value)) {
    return { path, problem: 'holds a number that JSON does not know', remedy: 'write a finite number' };
  }
  const kind = kindOf(parameter);
  if (kind && !isOfKind(kind, value)) {
    return { path, problem: `is not of type ${kind}`, remedy: `write a value of type ${kind}` };
  }
  return outOfBounds(rule, general) ?? overOwnCap(rule, rules);
}

/** Every request that gets the value would be refused. */
function outOfBounds({ parameter, value, path }: Rule, general: Caps): Finding | undefined {
  if (parameter === 'stop' && Array.isArray(value) && value.length > general.stop) {
    const problem = `there are ${value.length} entries, and caps.stop allows ${general.stop}`;
    return { path, problem, remedy: 'name fewer, or raise caps.stop' };
  }
  const cap = capOf(parameter);
  if (cap === undefined || typeof value !== 'number') return undefined;
  if (value >= leastOf(cap) && value <= general[cap]) return undefined;
  const problem = `${value} is not between ${leastOf(cap)} and caps.${cap}, ${general[cap]}`;
  return { path, problem, remedy: `write another value, or raise caps.${cap}` };
}

function overOwnCap({ parameter, value, path }: Rule, rules: readonly Rule[]): Finding | undefined {
  const cap = rules.find((one) => one.rule === 'caps' && one.parameter === parameter);
  if (typeof value !== 'number' || typeof cap?.value !== 'number') return undefined;
  // -1 tokens are as many as there can be.
  const isBoundless = capOf(parameter) === 'max_tokens' && value < 0;
  if (value <= cap.value && !isBoundless) return undefined;
  const problem = `${value} is over the policy's own cap of ${cap.value}`;
  return { path, problem, remedy: 'lower it, or raise the cap' };
}

/** One of the two would never count. A forced value may stand beside its cap: the tenant's policy may force another. */
function opposed({ rule, parameter, path }: Rule, rules: readonly Rule[]): Finding | undefined {
  const others = rules.filter((one) => one.parameter === parameter && one.path !== path);
  const against = (...kinds: Rule['rule'][]) => others.find((one) => kinds.includes(one.rule));
  if (rule === 'removed') {
    const twin = against('removed');
    const isSecond = twin !== undefined && Number(twin.path.at(-1)) < Number(path.at(-1));
    const other = against('defaults', 'forced', 'caps') ?? (isSecond ? twin : undefined);
    return other && standsAt(other, 'keep it at one of the two places');
  }
  const forced = rule === 'defaults' ? against('forced') : undefined;
  return forced && standsAt(forced, 'remove the default, which would never be used');

  function standsAt(other: Rule, remedy: string): Finding {
    const problem = `${quoted(parameter)} stands at ${formatPath(other.path)} already`;
    return { path, problem, remedy };
  }
}

function isJson(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isJson);
  return typeof value !== 'number' || Number.isFinite(value);
}
