/** The flags that say what a key or a tenant may use: `--rpm 100 --quota day:cost_usd=5 --model a:rpm=10`. */
import { type Command, InvalidArgumentError } from 'commander';
import {
  type GivenAllowance,
  type GivenLimits,
  type GivenModels,
  type GivenQuota,
  type Limits,
  quotaDimensions,
  quotaPeriods,
} from '../core/limits.ts';

type NamedModel = readonly [name: string, limits: GivenLimits | undefined];

/** Commander takes null for a flag without a value. */
type LimitFlag = number | 'none';

export interface AllowanceOptions {
  rpm?: LimitFlag;
  tpm?: LimitFlag;
  maxConcurrent?: LimitFlag;
  burstRequests?: LimitFlag;
  burstTokens?: LimitFlag;
  quota?: GivenQuota[];
  model?: NamedModel[];
}

export interface AllowanceChanges extends AllowanceOptions {
  /** False for `--no-limits`. */
  limits: boolean;
  /** False for `--no-quotas`. */
  quotas: boolean;
  allModels?: boolean;
}

const limitOfFlag: Readonly<Record<string, keyof Limits>> = {
  rpm: 'requests_per_minute',
  tpm: 'tokens_per_minute',
  'max-concurrent': 'max_concurrent',
  'burst-requests': 'burst_requests',
  'burst-tokens': 'burst_tokens',
};

/** For `create`: what is not named comes from the defaults of the configuration. */
export function addAllowanceOptions(command: Command): Command {
  return command
    .option('--rpm <n>', 'requests per minute; none: not limited', limit)
    .option('--tpm <n>', 'tokens per minute, prompt and answer together', limit)
    .option('--max-concurrent <n>', 'calls at the same time', limit)
    .option('--burst-requests <n>', 'requests that may come at once; default: those of a minute', limit)
    .option('--burst-tokens <n>', 'tokens that may come at once; default: those of a minute', limit)
    .option(
      '--quota <period:amounts>',
      'such as day:requests=1000,cost_usd=5, for minute, hour, day, month or total; repeatable',
      quota,
    )
    .option(
      '--model <model>',
      'a model that may be used, also with limits as in name:rpm=10,tpm=1000; repeatable; default: all',
      model,
    );
}

/** For `update`: limits that are not named stay; quotas and models replace those before. */
export function addAllowanceChanges(command: Command): Command {
  return addAllowanceOptions(command)
    .option('--no-limits', 'first take all limits away')
    .option('--no-quotas', 'take all quotas away')
    .option('--all-models', 'allow every model');
}

/** What `create` sends. */
export function allowanceFrom(options: AllowanceOptions): GivenAllowance {
  return { limits: limitsFrom(options), quotas: options.quota, models: modelsFrom(options.model) };
}

/** What `update` sends; `before` is asked for the limits that stay. */
export async function allowanceChangesFrom(
  options: AllowanceChanges,
  before: () => Promise<{ readonly limits: Limits }>,
): Promise<GivenAllowance> {
  const named = limitsFrom(options);
  const kept = named !== undefined && options.limits ? (await before()).limits : {};
  return {
    limits: named === undefined && options.limits ? undefined : { ...kept, ...named },
    quotas: options.quotas ? options.quota : [],
    models: options.allModels ? null : modelsFrom(options.model),
  };
}

/** Flags that exclude each other; undefined: none. */
export function allowanceConflict(options: AllowanceChanges): string | undefined {
  if (options.model && options.allModels) return 'give --model or --all-models, not both';
  return options.quota && !options.quotas ? 'give --quota or --no-quotas, not both' : undefined;
}

function limitsFrom(options: AllowanceOptions): GivenLimits | undefined {
  const { rpm, tpm, maxConcurrent, burstRequests, burstTokens } = options;
  const named = Object.entries({
    requests_per_minute: rpm,
    tokens_per_minute: tpm,
    max_concurrent: maxConcurrent,
    burst_requests: burstRequests,
    burst_tokens: burstTokens,
  }).filter(([, value]) => value !== undefined);
  return named.length === 0
    ? undefined
    : Object.fromEntries(named.map(([name, value]) => [name, orNull(value)]));
}

function modelsFrom(named: readonly NamedModel[] | undefined): GivenModels | undefined {
  if (named === undefined) return undefined;
  if (named.every(([, limits]) => limits === undefined)) return named.map(([name]) => name);
  return Object.fromEntries(named.map(([name, limits]) => [name, limits ?? {}]));
}

function orNull(flag: LimitFlag | undefined): number | null | undefined {
  return flag === 'none' ? null : flag;
}

function limit(text: string): LimitFlag {
  if (text === 'none') return text;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write a whole number, or none.');
  return Number(text);
}

function quota(text: string, before: GivenQuota[] = []): GivenQuota[] {
  const [, name, amounts = ''] = /^([^:]*):(.+)$/.exec(text) ?? [];
  const period = quotaPeriods.find((known) => known === name);
  if (!period)
    throw new InvalidArgumentError(`Write it like day:requests=1000; periods: ${quotaPeriods.join(', ')}.`);
  const given = amounts.split(',').map((part) => {
    const [, dimension, amount] = /^([a-z_]+)=(\d{1,15}(?:\.\d{1,9})?)$/.exec(part) ?? [];
    if (quotaDimensions.some((known) => known === dimension)) return [dimension, Number(amount)];
    throw new InvalidArgumentError(
      `Write amounts like tokens=5000; there are ${quotaDimensions.join(', ')}.`,
    );
  });
  return [...before, { period, ...Object.fromEntries(given) }];
}

/** Names may hold colons; only what looks like limits behind the last one is taken for them. */
function model(text: string, before: NamedModel[] = []): NamedModel[] {
  const [, name = text, limits] = /^(.+):([a-z-]+=[^:]*)$/.exec(text) ?? [];
  return [...before, [name, limits === undefined ? undefined : limitsOf(limits)]];
}

function limitsOf(text: string): GivenLimits {
  const given = text.split(',').map((part) => {
    const [flag = '', value = ''] = part.split('=', 2);
    const name = Object.hasOwn(limitOfFlag, flag) ? limitOfFlag[flag] : undefined;
    if (name) return [name, orNull(limit(value))];
    throw new InvalidArgumentError(
      `Write limits like rpm=10; there are ${Object.keys(limitOfFlag).join(', ')}.`,
    );
  });
  return Object.fromEntries(given);
}
