/** What is wrong with a cluster, and what is only worth knowing. */
import { gatewaysAlive, processStates, upstreamStates } from './cluster-state.ts';
import type { Round } from './processes.ts';
import type { QueueState } from './queue.ts';

export interface Health {
  /** Each with what to do; empty: all is well. */
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/** Days; as the alerts have it. */
const CERTIFICATE_DAYS_MIN = 14;
/** As the alerts have it. */
const QUEUE_AGE_SECONDS_MAX = 600;
const WEBHOOK_OVERDUE_SECONDS_MAX = 120;

/** @param nowMs wall clock */
export function healthOf(round: Round, queue: QueueState | undefined, nowMs: number): Health {
  return {
    problems: [
      ...silentOnes(round),
      ...processProblems(round, nowMs),
      ...upstreamProblems(round),
      ...installationProblems(round),
      ...certificateProblems(round, nowMs),
      ...queueProblems(round, queue),
    ],
    notes: notesOf(round, queue, nowMs),
  };
}

/** Seconds since 1970; null: no gateway that was asked speaks TLS itself. */
export function certificateEnd(round: Round): number | null {
  const ends = valuesOf(round, 'sluice_tls_certificate_expires_timestamp_seconds');
  return ends.length > 0 ? Math.min(...ends) : null;
}

/** Null: nobody has said. */
export function installationState(round: Round): 'known' | 'lost' | null {
  const told = valuesOf(round, 'sluice_installation_lost');
  if (told.length === 0) return null;
  return told.some((lost) => lost === 1) ? 'lost' : 'known';
}

function valuesOf({ readings }: Round, name: string): number[] {
  return readings.flatMap(({ samples }) => samples.value(name) ?? []);
}

function silentOnes({ silent }: Round): string[] {
  return silent.map(({ url, problem }) => `${url} ${problem}. Does the process run?`);
}

function processProblems(round: Round, nowMs: number): string[] {
  return processStates(round, nowMs).flatMap(({ url, role, state, redis, queueRedis }) => [
    ...(state === 'ok' ? [] : [`the ${role} at ${url} is ${state}.`]),
    ...(redis === 'ok' ? [] : [`Redis is ${redis} for ${url}. See REDIS_URL, and the log of Redis.`]),
    ...(queueRedis === 'ok' ? [] : [`the Redis of jobs is ${queueRedis} for ${url}. See QUEUE_REDIS_URL.`]),
  ]);
}

function upstreamProblems(round: Round): string[] {
  const upstreams = upstreamStates(round);
  const ill = upstreams.filter(({ state }) => state === 'down' || state === 'ejected');
  const pools = round.readings.flatMap(({ samples }) =>
    samples
      .of('sluice_pool_servers_usable')
      .filter(({ value }) => value === 0)
      .map(({ labels: { model, version } }) => (version ? `${model}@${version}` : model)),
  );
  const of = `${ill.length} of ${upstreams.length} upstreams cannot serve`;
  return [
    ...(ill.length === 0
      ? []
      : [`${of}: ${ill.map(({ name, state }) => `${name} is ${state}`).join(', ')}.`]),
    ...[...new Set(pools)].map((pool) => `no server of the model ${pool} may have calls.`),
  ];
}

function installationProblems(round: Round): string[] {
  const isStale = valuesOf(round, 'sluice_config_last_reload_successful').some((value) => value === 0);
  const stale = 'the last change of the configuration has faults. Run sluice config check.';
  const lost =
    'the data in Redis are not those that this cluster knows. Restore a backup, or accept them: sluice installation accept.';
  return [...(installationState(round) === 'lost' ? [lost] : []), ...(isStale ? [stale] : [])];
}

function certificateProblems(round: Round, nowMs: number): string[] {
  const end = certificateEnd(round);
  if (end === null) return [];
  const days = Math.floor((end * 1_000 - nowMs) / 86_400_000);
  if (days >= CERTIFICATE_DAYS_MIN) return [];
  return [
    days < 0 ? 'the certificate has run out. Renew it.' : `the certificate ends in ${days} days. Renew it.`,
  ];
}

function queueProblems(round: Round, queue: QueueState | undefined): string[] {
  const age = queue?.drained ? null : (queue?.oldestSeconds ?? null);
  const overdue = Math.max(0, ...valuesOf(round, 'sluice_webhook_overdue_seconds'));
  return [
    ...(age !== null && age > QUEUE_AGE_SECONDS_MAX
      ? [`a job has waited for ${age} s. Do workers run, and have the GPU servers room?`]
      : []),
    ...(overdue > WEBHOOK_OVERDUE_SECONDS_MAX
      ? [`webhooks have waited for ${Math.round(overdue)} s. Do workers run?`]
      : []),
  ];
}

function notesOf(round: Round, queue: QueueState | undefined, nowMs: number): string[] {
  const processes = processStates(round, nowMs);
  const asked = processes.filter(({ role }) => role === 'gateway').length;
  const alive = gatewaysAlive(round) ?? asked;
  const releases = new Set(processes.flatMap(({ release }) => release ?? []));
  const dead = Math.max(0, ...valuesOf(round, 'sluice_webhook_dead_events'));
  const dropped = valuesOf(round, 'sluice_settlements_dropped_total').reduce((sum, value) => sum + value, 0);
  const drained = upstreamStates(round).filter(({ state }) => state === 'draining');
  return [
    ...(alive > asked
      ? [`${asked} of ${alive} gateways that live ${asked === 1 ? 'was' : 'were'} asked; --at names more.`]
      : []),
    ...(releases.size > 1 ? [`different releases run: ${[...releases].sort().join(', ')}.`] : []),
    ...drained.map(
      ({ name }) => `upstream ${name} is drained; sluice upstreams resume ${name} sends it calls again.`,
    ),
    ...(queue?.drained ? ['no job is begun; sluice jobs resume goes on.'] : []),
    ...(dead > 0 ? [`${dead} events of webhooks were given up; see sluice webhooks list-dead.`] : []),
    ...(dropped > 0 ? [`the usage of ${dropped} calls was lost while Redis was away.`] : []),
  ];
}
