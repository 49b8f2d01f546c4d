import { type Refusal, refusal } from '../core/errors.ts';
import { isModelAllowed } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import type { Model } from '../upstream/models.ts';

/** 403: a key may use what both it and its tenant may. */
export function checkAllowed(principal: Principal, model: Model): Refusal | undefined {
  if (isModelAllowed(principal.ofKey, model.name) && isModelAllowed(principal.ofTenant, model.name)) {
    return undefined;
  }
  return refusal('model_not_allowed', `This key may not use the model '${model.name}'.`, { param: 'model' });
}
