/**
 * Every key in Redis. All begin with `{prefix}:1:`, where 1 is the version of the layout. What must change
 * together carries its tenant as hash tag, so that one script reaches all of it on a Redis Cluster too. The
 * records are the truth; everything without the tag only leads to them.
 */

export interface RedisKeys {
  /** What all of them begin with. */
  everything(): string;
  /** string, JSON `SecretPointer`. Expires some time after the secret that was rotated away. */
  secret(digest: string): string;
  /** string, name of the tenant that owns the key id. */
  owner(keyId: string): string;
  /** sorted set of `<tenant>/<key id>` by creation in milliseconds, over all tenants. */
  allKeys(): string;
  /** sorted set of tenant names, all with score 0. */
  tenants(): string;
  /** string, JSON `EmailClaim`: the tenant to which an e-mail address in lower case belongs. */
  email(address: string): string;
  /** set of JSON `ForeignForm`: what imported keys look like. */
  foreignForms(): string;
  /** channel, JSON `Invalidation`. */
  invalidations(): string;

  /** `{tenant}`: string, JSON `StoredKey`. */
  key(tenant: string, keyId: string): string;
  /** `{tenant}`: string, JSON `TenantRecord`. */
  tenant(tenant: string): string;
  /** `{tenant}`: sorted set of key ids by creation in milliseconds. */
  keysOf(tenant: string): string;
  /** `{tenant}`: sorted set of key ids by last use in milliseconds. */
  keyUses(tenant: string): string;
  /** `{tenant}`: string, empty: a signed request with that nonce has come. Expires. */
  nonce(tenant: string, digest: string): string;

  // What the ticket scripts derive from the root (scripts/ticket.lua has the fields).
  /** `{tenant}`: what the keys below begin with. */
  root(tenant: string): string;
  /** `{tenant}`: hash, `version` of the records and `clock`. */
  meta(tenant: string): string;
  /** `{tenant}`: hash, ticket id → ticket. */
  tickets(tenant: string): string;
  /** `{tenant}`: sorted set of ticket ids by the end of their lease in milliseconds. */
  leases(tenant: string): string;
  /** `{tenant}`: hash; `scope` is `tenant`, `key:<id>`, `model:<name>` or `key:<id>:model:<name>`. */
  account(tenant: string, scope: string): string;
  /**
   * `{tenant}`: hash of sums. `span` is a day (2026-11-21) or a month (2026-11); `*` and `*` for key and model: all
   * together, by day alone. Kept 35 days, months and totals 400.
   */
  usage(tenant: string, span: string, keyId: string, model: string): string;
  /** `{tenant}`: set of `<key id> <model>` with sums in that month. */
  usageIndex(tenant: string, month: string): string;
  /** `{tenant}`: capped stream of ended calls; settle.lua has the fields. */
  calls(tenant: string): string;
  /** `{tenant}`: string, number of the last batch of settlements of a replica. Expires. */
  settled(tenant: string, replica: string): string;
  // What the scripts of stored answers derive from the root (scripts/answer-index.lua has the fields).
  /** `{tenant}`: hash, an answer for equal requests. Expires. */
  answer(tenant: string, digest: string): string;
  /** `{tenant}`: sorted set of these answers by their end in milliseconds; and a hash of their sizes. Both expire. */
  answers(tenant: string): string;
  answerSizes(tenant: string): string;
  /** `{tenant}`: hash, a request with that Idempotency-Key. Expires; its index is as that of the answers. */
  once(tenant: string, digest: string): string;
  onces(tenant: string): string;
  onceSizes(tenant: string): string;

  /** sorted set of tenants with tickets, by when a replica last said so, in milliseconds. */
  activeTenants(): string;
  /** string, set by the replica that sweeps; expires. */
  sweeping(): string;
  /** hash of replica → JSON `ReplicaReport`; those that are silent are taken out. */
  replicas(): string;
  /** string, JSON `InstallationRecord`: when it is gone, so are the data. */
  installation(): string;
  /** hash of model → JSON of what was learned about its tokens and times. */
  learned(): string;
  /** hash of upstream → JSON of what it has said of its load (scripts/claim-loads.lua has the fields). */
  loads(): string;
  /** hash of upstream → when an operator has begun to drain it, in milliseconds. */
  drains(): string;
  /** channel, name of the upstream: the hash has changed. */
  drainChanges(): string;
  /** hash of admin id → JSON `StoredAdmin`. */
  admins(): string;
  /** hash of admin id → when it was last used, in milliseconds. */
  adminUses(): string;
  /** capped stream of JSON `AuditEntry`, in the field `entry`. */
  audit(): string;

  // On the server of the queue; the tag is no name that a tenant can have.
  /** `{_jobs}`: hash of the chunks of a job's request; chunked-body.ts has the fields. Expires. */
  payload(jobId: string): string;
  /** `{_jobs}`: hash of the chunks of the whole answer that an attempt got. Expires. */
  result(jobId: string, attempt: number): string;
  /** `{_jobs}`: hash of the pieces of the stream that an attempt got; piece-table.ts has the fields. Expires. */
  pieces(jobId: string, attempt: number): string;
  /** channel, `<job id> <attempt> <pieces>`: so many pieces of that stream can be read now. */
  pieceNews(): string;
  /** `{_jobs}`: what all keys of BullMQ begin with, before `:` and the name of a queue. */
  bullPrefix(): string;
  // What the scripts of jobs derive from the root (scripts/jobs/queue.lua has all of it, and the fields).
  /** `{_jobs}`: what the keys below begin with. */
  jobRoot(): string;
  /** `{_jobs}`: hash, the record of a job. The sweep takes it out. */
  job(jobId: string): string;
  /** `{_jobs}`: sorted set of job ids by creation in milliseconds. */
  jobsOf(tenant: string): string;
  /** `{_jobs}`: hash, `jobs` and `bytes` that are unfinished, `sequence`, `clock`. */
  jobMeta(): string;
  /** `{_jobs}`: hash, tenant → `<unfinished jobs> <their bytes>`. */
  jobTenants(): string;
  /** `{_jobs}`: set of lines with unfinished jobs. */
  jobLines(): string;
  /** `{_jobs}`: sorted sets of a line: of its jobs (waiting, in hand), or of its tenants (parked). */
  jobLine(part: 'queued' | 'handed' | 'parked', line: string): string;
  /** `{_jobs}`: sorted set of all jobs whose records are kept, by when they expire or go, in milliseconds. */
  jobsDue(): string;
  /** `{_jobs}`: sorted set of jobs that ended before they ran, whose tickets are still to be looked after. */
  unrunJobs(): string;
  /** `{_jobs}`: string, when an operator has stopped the queue, in milliseconds. */
  jobsDrained(): string;
  /** `{_jobs}`: string, set by the worker that sweeps; expires. */
  jobsSweeping(): string;
  /** channel, JSON `JobEvent`. */
  jobEvents(): string;
  /** `{_jobs}`: string, the job that is held for such a request, by digest of key and body. Expires. */
  heldJob(digest: string): string;
  // What the scripts of webhooks derive from the same root (scripts/webhooks/outbox.lua has the fields).
  /** `{_jobs}`: hash, where the tenant wants its events. */
  webhook(tenant: string): string;
  /** `{_jobs}`: hash, an event until it has been delivered. Expires. */
  event(id: string): string;
  /** `{_jobs}`: sorted set of the tenant's events by when they are due, in milliseconds. Expires. */
  outbox(tenant: string): string;
  /** `{_jobs}`: sorted set of those that workers have, by when they were handed out. */
  outboxHanded(tenant: string): string;
  /** `{_jobs}`: sorted set of tenants by when their endpoint has to be looked at. */
  outboxReady(): string;
  /** `{_jobs}`: sorted set of events that were given up, by when; undefined: of all tenants. */
  outboxDead(tenant?: string): string;
}

export function redisKeys(prefix: string): RedisKeys {
  const root = `${prefix}:1`;
  return {
    everything: () => `${root}:`,
    secret: (digest) => `${root}:secret:${digest}`,
    owner: (keyId) => `${root}:owner:${keyId}`,
    allKeys: () => `${root}:keys`,
    tenants: () => `${root}:tenants`,
    email: (address) => `${root}:email:${address}`,
    foreignForms: () => `${root}:forms`,
    invalidations: () => `${root}:invalidations`,

    key: (tenant, keyId) => `${root}:{${tenant}}:key:${keyId}`,
    tenant: (tenant) => `${root}:{${tenant}}:tenant`,
    keysOf: (tenant) => `${root}:{${tenant}}:keys`,
    keyUses: (tenant) => `${root}:{${tenant}}:key-uses`,
    nonce: (tenant, digest) => `${root}:{${tenant}}:nonce:${digest}`,

    root: (tenant) => `${root}:{${tenant}}`,
    meta: (tenant) => `${root}:{${tenant}}:meta`,
    tickets: (tenant) => `${root}:{${tenant}}:tickets`,
    leases: (tenant) => `${root}:{${tenant}}:leases`,
    account: (tenant, scope) => `${root}:{${tenant}}:account:${scope}`,
    usage: (tenant, span, keyId, model) => `${root}:{${tenant}}:usage:${span}:${keyId}:${model}`,
    usageIndex: (tenant, month) => `${root}:{${tenant}}:usage-index:${month}`,
    calls: (tenant) => `${root}:{${tenant}}:calls`,
    settled: (tenant, replica) => `${root}:{${tenant}}:settled:${replica}`,
    answer: (tenant, digest) => `${root}:{${tenant}}:answer:${digest}`,
    answers: (tenant) => `${root}:{${tenant}}:answers`,
    answerSizes: (tenant) => `${root}:{${tenant}}:answer-sizes`,
    once: (tenant, digest) => `${root}:{${tenant}}:once:${digest}`,
    onces: (tenant) => `${root}:{${tenant}}:onces`,
    onceSizes: (tenant) => `${root}:{${tenant}}:once-sizes`,

    activeTenants: () => `${root}:active`,
    sweeping: () => `${root}:sweeping`,
    replicas: () => `${root}:replicas`,
    installation: () => `${root}:installation`,
    learned: () => `${root}:learned`,
    loads: () => `${root}:loads`,
    drains: () => `${root}:drains`,
    drainChanges: () => `${root}:drain-changes`,
    admins: () => `${root}:admins`,
    adminUses: () => `${root}:admin-uses`,
    audit: () => `${root}:audit`,

    payload: (jobId) => `${root}:{_jobs}:payload:${jobId}`,
    result: (jobId, attempt) => `${root}:{_jobs}:result:${jobId}:${attempt}`,
    pieces: (jobId, attempt) => `${root}:{_jobs}:pieces:${jobId}:${attempt}`,
    pieceNews: () => `${root}:piece-news`,
    bullPrefix: () => `${root}:{_jobs}:bull`,
    jobRoot: () => `${root}:{_jobs}`,
    job: (jobId) => `${root}:{_jobs}:job:${jobId}`,
    jobsOf: (tenant) => `${root}:{_jobs}:of:${tenant}`,
    jobMeta: () => `${root}:{_jobs}:meta`,
    jobTenants: () => `${root}:{_jobs}:tenants`,
    jobLines: () => `${root}:{_jobs}:lines`,
    jobLine: (part, line) => `${root}:{_jobs}:${part}:${line}`,
    jobsDue: () => `${root}:{_jobs}:due`,
    unrunJobs: () => `${root}:{_jobs}:unrun`,
    jobsDrained: () => `${root}:{_jobs}:drained`,
    jobsSweeping: () => `${root}:{_jobs}:sweeping`,
    jobEvents: () => `${root}:{_jobs}:events`,
    heldJob: (digest) => `${root}:{_jobs}:held:${digest}`,
    webhook: (tenant) => `${root}:{_jobs}:webhook:${tenant}`,
    event: (id) => `${root}:{_jobs}:event:${id}`,
    outbox: (tenant) => `${root}:{_jobs}:outbox:${tenant}`,
    outboxHanded: (tenant) => `${root}:{_jobs}:outbox-handed:${tenant}`,
    outboxReady: () => `${root}:{_jobs}:outbox-ready`,
    outboxDead: (tenant) => `${root}:{_jobs}:outbox-dead${tenant === undefined ? '' : `:${tenant}`}`,
  };
}
