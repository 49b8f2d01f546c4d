/** Which requests are too large to be answered at once. */
import type { Estimate } from '../../admission/estimate/estimator.ts';
import { oversizeRuleOf } from '../../config/jobs.ts';
import type { LiveConfig } from '../../config/live.ts';
import type { OversizeDifferences, OversizeRule } from '../../core/principal.ts';

/** The rules of the models, worked out once for each reading of the configuration. */
export class OversizeRules {
  readonly #general: OversizeRule;
  readonly #usual: OversizeRule | undefined;
  #live: LiveConfig | undefined;
  #byModel: ReadonlyMap<string, OversizeRule | undefined> = new Map();

  constructor(general: OversizeRule) {
    this.#general = general;
    this.#usual = oversizeRuleOf(general, undefined);
  }

  /**
   * Undefined: no request of the key for the model is oversized.
   * @param ofKey what differs for it
   */
  of(model: string, live: LiveConfig, ofKey: OversizeDifferences | null): OversizeRule | undefined {
    if (live !== this.#live) this.#read(live);
    const rule = this.#byModel.has(model) ? this.#byModel.get(model) : this.#usual;
    return ofKey === null ? rule : oversizeRuleOf(rule, ofKey);
  }

  /** Models that say nothing, or are found on their servers, go by the general rule. */
  #read(live: LiveConfig): void {
    const own = live.models.filter(({ oversize }) => oversize !== undefined);
    this.#byModel = new Map(
      own.map(({ name, oversize }) => [name, oversizeRuleOf(this.#general, oversize)] as const),
    );
    this.#live = live;
  }
}

/** Why, in words; undefined: it is not oversized. */
export function oversizeOf(
  { tokens, bytes, images }: OversizeRule,
  estimate: Estimate,
  bodyBytes: number,
): string | undefined {
  if (tokens !== false && estimate.inputTokens >= tokens) {
    return `about ${estimate.inputTokens} tokens, and ${tokens} are too many`;
  }
  if (bytes !== false && bodyBytes >= bytes) return `${bodyBytes} bytes, and ${bytes} are too many`;
  if (images !== false && estimate.images.length >= images) {
    return `${estimate.images.length} images, and ${images} are too many`;
  }
  return undefined;
}
