/** `--oversize-rule` of keys: from where on their requests are too large to be answered at once. */
import { InvalidArgumentError, Option } from 'commander';
import type { OversizeDifferences } from '../core/principal.ts';

const BOUND = /^(tokens|bytes|images)=(\d{1,15}|never)$/;
const FORM = 'It must be such as tokens=64000,images=never, or never, or none.';

export interface OversizeOptions {
  oversizeRule?: OversizeDifferences | 'none';
}

export function oversizeOption(): Option {
  const meaning =
    'what makes its requests oversized, such as tokens=64000,images=never; never: nothing does; none: what their model says';
  return new Option('--oversize-rule <rule>', meaning).argParser(ruleFrom);
}

/** Undefined: not named. */
export function oversizeFrom({ oversizeRule }: OversizeOptions): OversizeDifferences | null | undefined {
  return oversizeRule === 'none' ? null : oversizeRule;
}

/** For people. */
export function oversizeText(rule: OversizeDifferences | null): string {
  if (rule === null) return 'none';
  if (rule === false) return 'never';
  const bounds = Object.entries(rule).map(([name, bound]) => `${name}=${bound === false ? 'never' : bound}`);
  return bounds.join(',') || 'none';
}

/** How large a bound may be, the admin API says. */
function ruleFrom(text: string): OversizeDifferences | 'none' {
  if (text === 'none') return text;
  if (text === 'never') return false;
  const bounds = text.split(',').map((part) => BOUND.exec(part) ?? []);
  const named = bounds.map(([, name, bound]) => [name, bound === 'never' ? false : Number(bound)] as const);
  const isForm = named.every(([name]) => name !== undefined);
  if (!isForm || new Set(named.map(([name]) => name)).size < named.length) {
    throw new InvalidArgumentError(FORM);
  }
  return Object.fromEntries(named);
}
