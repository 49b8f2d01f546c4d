/** The flags that say how the jobs of a tenant are treated. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { JobTerms } from '../core/principal.ts';
import { HOLD_SECONDS_MAX, jobWays, WEIGHT_MAX, WEIGHT_MIN } from '../core/principal.ts';

export interface JobTermOptions {
  oversize?: JobTerms['oversize'];
  overLimit?: JobTerms['over_limit'];
  holdSeconds?: number;
  weight?: number;
}

export function addJobTermOptions(command: Command): Command {
  const oversize = 'oversized requests: hold the connection, answer 202 (async), or reject them';
  const overLimit = 'the same for requests that would get a 429';
  const hold = 'how long a held caller waits for an answer that is not streamed, before 202';
  const weight = 'share of the GPU servers against other tenants whose jobs wait';
  return command
    .addOption(new Option('--oversize <way>', oversize).choices(jobWays))
    .addOption(new Option('--over-limit <way>', overLimit).choices(jobWays))
    .option('--hold-seconds <n>', hold, numberBetween(1, HOLD_SECONDS_MAX))
    .option('--weight <n>', weight, numberBetween(WEIGHT_MIN, WEIGHT_MAX));
}

/** Undefined: not named. */
export function jobTermFields({ oversize, overLimit, holdSeconds, weight }: JobTermOptions) {
  return { oversize, over_limit: overLimit, hold_seconds: holdSeconds, weight };
}

/** For people. */
export function jobTermLines({ oversize, over_limit, hold_seconds, weight }: JobTerms) {
  return {
    oversize,
    'over limit': over_limit,
    'hold seconds': String(hold_seconds),
    weight: String(weight),
  };
}

function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}
