import type { LookupOutcome } from '../admission/authenticate.ts';
import { TokenWay } from '../admission/jwt/token-way.ts';
import type { DataInRedis } from '../admission/keys/key-memory.ts';
import type { Config } from '../config/schema.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Logger } from '../telemetry/log.ts';
import { fetchDocument } from '../upstream/document.ts';
import { parseHosts } from '../upstream/media-fetch.ts';

interface TokenParts {
  readonly config: Config;
  readonly redis: RedisConnection;
  readonly data: DataInRedis;
  readonly onLookup: (outcome: LookupOutcome) => void;
  readonly log: Logger;
}

/** Undefined: the configuration names no issuer of tokens. */
export function createTokenWay(parts: TokenParts): TokenWay | undefined {
  const { jwt } = parts.config.auth;
  if (!jwt) return undefined;
  const hosts = parseHosts(jwt.allowed_hosts);
  return new TokenWay({
    ...parts,
    jwt,
    fetch: (url, bounds) => fetchDocument(url, { ...bounds, hosts }),
  });
}
