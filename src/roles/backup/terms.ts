/** What a backup says of itself, and what both commands are told. */
import { createHmac } from 'node:crypto';
import packageJson from '../../../package.json' with { type: 'json' };
import { derivedSecret } from '../../admission/keys/key-digest.ts';
import type { Environment } from '../../config/environment.ts';
import { formatFault } from '../../config/fault.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { connectForBackup } from '../../redis/backup/connection.ts';
import type { Place } from '../../redis/backup/plan.ts';
import { storeFailure } from '../../redis/failure.ts';
import { type RedisKeys, redisKeys } from '../../redis/keys.ts';
import type { RedisClient } from '../../redis/options.ts';
import { queueRedis } from '../../redis/queue-connection.ts';

const FORMAT = 'sluice-backup';
const VERSION = 1;

export interface Heading {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** The release that has written it. */
  readonly sluice: string;
  readonly prefix: string;
  readonly begun_at: string;
  /** Tells whether SLUICE_SECRET is the same, and nothing of what it is. */
  readonly secret_check: string;
}

/** How many of each kind of key. */
export type Counts = Record<string, number>;

export interface Ending {
  readonly end: true;
  readonly ended_at: string;
  readonly lines: number;
  readonly keys: Counts;
}

/** Ends a command with one line for the person in front of it. */
export class Refused extends Error {
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function headingOf({ redis, secret }: Config, now: Date): Heading {
  return {
    ...{ format: FORMAT, version: VERSION, sluice: packageJson.version, prefix: redis.prefix },
    ...{ begun_at: now.toISOString(), secret_check: secretCheck(secret) },
  };
}

/** @throws Refused with the reason why this installation cannot take that backup */
export function checkHeading(value: unknown, { secret }: Config): Heading {
  const heading = Object(value) as Heading;
  if (heading.format !== FORMAT) throw new Refused('the file is no backup of Sluice.');
  if (heading.version !== VERSION) {
    throw new Refused(
      `the backup is of format ${heading.version}, and this release reads ${VERSION}: use a newer one.`,
    );
  }
  if (heading.secret_check !== secretCheck(secret)) {
    throw new Refused(
      'the backup was made with another SLUICE_SECRET: none of its keys would work. Set that one.',
    );
  }
  return heading;
}

function secretCheck(secret: string): string {
  return createHmac('sha256', derivedSecret(secret, 'backup-check:1'))
    .update(FORMAT)
    .digest('hex')
    .slice(0, 16);
}

/** That of a gateway. @throws Refused with all faults of it */
export function readConfig(env: Environment): Config {
  const loaded = loadConfig({ env });
  if (loaded.ok) return loaded.config;
  throw new Refused(`the configuration has faults.\n${loaded.faults.map(formatFault).join('\n')}`);
}

export interface Servers {
  readonly keys: RedisKeys;
  /** The same one twice, where both are one. */
  readonly of: Readonly<Record<Place, RedisClient>>;
  close(): void;
}

/** @throws Refused when one of them cannot be reached */
export async function connectServers(config: Config): Promise<Servers> {
  const { redis } = config;
  const limits = await connect(redis, 'redis.url');
  const queueConfig = queueRedis(config);
  const queue = queueConfig.url === redis.url ? limits : await connect(queueConfig, 'queue.redis_url');
  return {
    keys: redisKeys(redis.prefix),
    of: { limits, queue },
    close() {
      limits.disconnect();
      queue.disconnect();
    },
  };
}

async function connect(config: Config['redis'], setting: string): Promise<RedisClient> {
  try {
    return await connectForBackup(config);
  } catch (error) {
    throw new Refused(`cannot reach the Redis of ${setting}: ${causeOf(error)}`);
  }
}

/** For the person in front of it; mistakes of ours keep their stack. */
export function causeOf(error: unknown): string {
  const failure = storeFailure(error);
  if (failure) return failure.cause;
  return error instanceof Error ? error.message : String(error);
}
