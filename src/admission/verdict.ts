import type { Refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';

export type Verdict =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly refusal: Refusal };
