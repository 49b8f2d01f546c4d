/**
 * Who changed what. Each write through the admin API is told here once, and becomes a line of the log and an entry of
 * the audit trail. Ids, names, fields and counts; never a secret.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdminRole } from '../core/admin.ts';
import type { AuditEntry, FieldChange } from '../core/audit.ts';
import type { Refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { AuditTrail } from './audit-trail.ts';

type Action =
  | `key.${'create' | 'update' | 'rotate' | 'revoke' | 'import' | 'signing_add' | 'signing_remove'}`
  | `tenant.${'create' | 'update'}`
  | `webhook.${'set' | 'rotate' | 'remove' | 'replay'}`
  | `upstream.${'drain' | 'resume'}`
  | `job.${'cancel' | 'retry'}`
  | `jobs.${'drain' | 'resume'}`
  | `admin.${'create' | 'update' | 'rotate' | 'revoke'}`
  | 'config.reload'
  | 'installation.accept';

type Ending =
  | { readonly ok: true }
  | { readonly ok: false; readonly refusal: Pick<Refusal, 'name' | 'reason'> };

interface Details {
  readonly changes?: Readonly<Record<string, FieldChange>>;
  readonly counts?: Readonly<Record<string, number>>;
}

type Subject = Readonly<Record<string, string | undefined>>;

interface JournalParts {
  readonly log: Logger;
  readonly trail: Pick<AuditTrail, 'append' | 'keep'>;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

/** Says that the change was made but is not in the audit trail yet. */
export const AUDIT_HEADER = 'x-sluice-audit';

const REFUSED_EVERY_MS = 3_600_000;
const REFUSALS_KEPT_MAX = 1_000;

export class Journal {
  readonly #parts: JournalParts;
  /** `<admin> <route>` → when its last refusal became an entry. */
  readonly #refusedAtMs = new Map<string, number>();

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /**
   * Of a write that was refused there is a line alone; of one that Redis may or may not have made, an entry too. Settles
   * within twice the command time-out; where the entry is not written by then, the answer gets `AUDIT_HEADER`.
   */
  async write(
    reply: FastifyReply,
    action: Action,
    result: Ending,
    subject: Subject,
    { changes = {}, counts = {} }: Details = {},
  ): Promise<void> {
    const { log, trail } = this.#parts;
    const { request } = reply;
    const line = {
      ...this.#who(request),
      action,
      ...subject,
      ...counts,
      error: result.ok ? undefined : result.refusal.name,
      reason: result.ok ? undefined : result.refusal.reason,
    };
    if (result.ok) log.info({ ...line, changes }, 'admin write');
    else log.warn(line, 'admin write refused');
    if (result.ok) {
      const isWritten = await trail.append(
        this.#entry(request, action, 'done', subject, { changes, counts }),
      );
      if (!isWritten) reply.header(AUDIT_HEADER, 'late');
    } else if (result.refusal.name === 'store_unavailable') {
      trail.keep(this.#entry(request, action, 'unknown', subject, { changes, counts }));
    }
  }

  /**
   * The role does not suffice. Whoever tries the same again and again fills the log and not the trail, which would push
   * out what others did: an entry an hour for each admin and route.
   */
  refusedRole(request: FastifyRequest, route: string, needed: AdminRole | undefined): void {
    const { log, trail, now } = this.#parts;
    const line = { ...this.#who(request), route, needed_role: needed };
    log.warn(line, 'admin refused: the role does not suffice');
    const memo = `${line.actor} ${route}`;
    const agoMs = now() - (this.#refusedAtMs.get(memo) ?? Number.NEGATIVE_INFINITY);
    if (agoMs >= 0 && agoMs < REFUSED_EVERY_MS) return;
    if (this.#refusedAtMs.size >= REFUSALS_KEPT_MAX) this.#refusedAtMs.clear();
    this.#refusedAtMs.set(memo, now());
    trail.keep(this.#entry(request, 'role.refused', 'refused', { route, needed_role: needed }, {}));
  }

  #who({ id, ip, admin }: FastifyRequest) {
    const { id: actor, name: actor_name, role } = admin;
    return { request_id: id, actor, actor_name, role, address: ip };
  }

  #entry(
    request: FastifyRequest,
    action: Action | 'role.refused',
    outcome: AuditEntry['outcome'],
    subject: Subject,
    { changes = {}, counts = {} }: Details,
  ): AuditEntry {
    const given = Object.entries(subject).filter(
      (field): field is [string, string] => field[1] !== undefined,
    );
    const at = new Date(this.#parts.now()).toISOString();
    return {
      at,
      ...this.#who(request),
      action,
      outcome,
      subject: Object.fromEntries(given),
      changes,
      counts,
    };
  }
}
