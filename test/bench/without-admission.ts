/**
 * Preloaded into a gateway, takes the admission step out of the path of a request: no ticket, no limits, no usage. Only
 * the benchmark has this; a gateway has no switch for it.
 */
import { registerHooks } from 'node:module';

const STEP = new URL('../../src/http/admit.ts', import.meta.url).href;
const NO_STEP = new URL('no-admission.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return resolved.url === STEP ? { ...resolved, url: NO_STEP } : resolved;
  },
});
