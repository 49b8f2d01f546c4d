import type { FastifyRequest } from 'fastify';
import type { KeyResult } from '../admission/keys/key-store.ts';
import type { Logger } from '../telemetry/log.ts';

type Action =
  | `key.${'create' | 'update' | 'rotate' | 'revoke' | 'import'}`
  | `tenant.${'create' | 'update'}`
  | `webhook.${'set' | 'rotate' | 'remove' | 'replay'}`;

export type Journal = ReturnType<typeof writeJournal>;

/** Who changed what: one line for every write that reached the store. Ids, names and counts; never a secret. */
export function writeJournal(log: Logger) {
  return (
    request: FastifyRequest,
    action: Action,
    result: KeyResult<unknown>,
    subject: Readonly<Record<string, string | number | undefined>>,
  ): void => {
    const line = {
      request_id: request.id,
      actor: 'admin',
      action,
      ...subject,
      error: result.ok ? undefined : result.refusal.name,
      reason: result.ok ? undefined : result.refusal.reason,
      address: request.ip,
    };
    if (result.ok) log.info(line, 'admin write');
    else log.warn(line, 'admin write refused');
  };
}
