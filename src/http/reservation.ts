import type { Estimator } from '../admission/estimate/estimator.ts';
import type { Reservation } from '../admission/settlement.ts';
import type { Model } from '../upstream/models.ts';
import type { Inference } from './exchange.ts';

/** What a call of a model is expected to cost. */
export function reservationOf(
  estimator: Estimator,
  { model, body, endpoint, estimate }: Inference & { model: Model },
): Reservation {
  const { name, prices } = model;
  return {
    model: name,
    prices,
    estimate: estimate ?? estimator.estimate(name, body.value, body.bytes.length, endpoint.path),
  };
}
