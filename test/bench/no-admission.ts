import type { Step } from '../../src/http/exchange.ts';

const goOn: Step = (_request, _reply, next) => next();

export const admitInference = (): Step => goOn;
export const admitPlain = (): Step => goOn;
