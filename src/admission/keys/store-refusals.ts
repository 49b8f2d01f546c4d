/** How an operation on keys ends when it does not succeed. */
import { type Refusal, refusal } from '../../core/errors.ts';

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
}

export function refused(reason: Refusal): Refused {
  return { ok: false, refusal: reason };
}

export function storeAway(): Refused {
  return refused(
    refusal(
      'store_unavailable',
      'Redis does not answer. A change may or may not have been made; look before you repeat it.',
      {
        headers: { 'Retry-After': '1' },
      },
    ),
  );
}

export function noSuchKey(id: string): Refused {
  return refused(refusal('not_found', `There is no key ${JSON.stringify(id.slice(0, 64))}.`));
}

export function noSuchTenant(name: string): Refused {
  return refused(refusal('not_found', `There is no tenant ${JSON.stringify(name.slice(0, 64))}.`));
}

export function isRevoked(id: string): Refusal {
  return refusal('conflict', `The key ${id} is revoked, which is for good.`);
}

export function changedMeanwhile(): Refused {
  return refused(refusal('conflict', 'Others are changing the same record all the time. Try again.'));
}
