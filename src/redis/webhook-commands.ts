/** The scripts of webhooks: what stands on top of each is its contract, and `webhooks/outbox.lua` what they share. */
import type { Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    pickEvents(root: string, countMax: number, places: number): Result<(string | number)[], Context>;
    endTry(root: string, ...end: (string | number)[]): Result<number, Context>;
    registerEndpoint(root: string, ...endpoint: (string | number)[]): Result<number, Context>;
    removeEndpoint(root: string, tenant: string): Result<number, Context>;
    replayEvents(root: string, places: number, ...events: string[]): Result<number[], Context>;
  }
}

const common = { keys: 1, shared: 'webhooks/outbox' } as const;

export const webhookScripts = [
  { command: 'pickEvents', file: 'webhooks/pick', ...common },
  { command: 'endTry', file: 'webhooks/end', ...common },
  { command: 'registerEndpoint', file: 'webhooks/register', ...common },
  { command: 'removeEndpoint', file: 'webhooks/remove', ...common },
  { command: 'replayEvents', file: 'webhooks/replay', ...common },
] as const;
