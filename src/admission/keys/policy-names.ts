import { type Refusal, refusal } from '../../core/errors.ts';
import type { StoreParts } from './store-parts.ts';

const NAMES_SHOWN_MAX = 20;

/** For a policy that the configuration of this replica does not have. Absent and null are no fault. */
export function policyFault(
  { policyNames }: Pick<StoreParts, 'policyNames'>,
  policy: string | null | undefined,
): Refusal | undefined {
  if (policy == null) return undefined;
  const names = policyNames();
  if (names.includes(policy)) return undefined;
  const more = names.length > NAMES_SHOWN_MAX ? ', …' : '';
  const known =
    names.length === 0
      ? 'the configuration has none'
      : `there are ${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more}`;
  const message = `There is no policy ${JSON.stringify(policy.slice(0, 64))}; ${known}.`;
  return refusal('invalid_parameter', message, { param: 'policy' });
}
