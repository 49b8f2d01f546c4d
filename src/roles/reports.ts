/** What the admin API and the probes are told of servers and models. */
import type { ModelReport } from '../admin/model-report.ts';
import { reportOf, type UpstreamReport } from '../admin/upstreams.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { RedisReading } from '../telemetry/redis-metrics.ts';
import type { ModelReading, PoolReading, UpstreamReading } from '../telemetry/server-gauges.ts';
import { remembered } from '../upstream/choice/load-of.ts';
import type { ServerPool } from '../upstream/health/slow-servers.ts';
import type { Member } from '../upstream/member.ts';
import type { Models } from '../upstream/models.ts';
import { allMembers, type Model, type PublicModel } from '../upstream/public-model.ts';
import type { Router } from '../upstream/router.ts';

export function upstreamReports(models: Models): UpstreamReport[] {
  const nowMs = performance.now();
  const served = models.list().map((model) => ({ name: model.name, members: allMembers(model) }));
  return [...models.upstreams.values()].map((upstream) => {
    const isMember = (member: Member) => member.upstream === upstream;
    const names = served.flatMap(({ name, members }) => (members.some(isMember) ? [name] : []));
    return reportOf(upstream, names, nowMs);
  });
}

export function* upstreamReadings(models: Models): Generator<UpstreamReading> {
  const nowMs = performance.now();
  for (const { name, health, load, reported, serverHealth, settings } of models.upstreams.values()) {
    const said = remembered(reported, nowMs);
    yield {
      name,
      healthy: health === 'healthy',
      inFlight: load.inFlight,
      places: settings.maxInFlight,
      capacity: settings.capacity,
      state: serverHealth.state(nowMs),
      ejections: serverHealth.ejections,
      reported: said && { ...said, ageSeconds: (nowMs - said.readAtMs) / 1_000 },
    };
  }
}

export function modelReports(models: Models): ModelReport[] {
  return models.list().map((model) => ({
    name: model.name,
    aliases: model.aliases,
    context_length: model.contextLength ?? null,
    choice: model.choice,
    session_headers: model.sessionHeaders,
    sticky: model.sticky,
    fallbacks: model.fallbackNames,
    versions: versionReports(model),
  }));
}

function versionReports({ versions }: PublicModel): ModelReport['versions'] {
  const total = versions.reduce((sum, { weight }) => sum + weight, 0);
  return versions.map(({ weight, model: { version, pool } }) => ({
    name: version ?? null,
    weight,
    share: Math.round((weight / total) * 1e6) / 1e6,
    upstreams: pool.members.map((member) => ({
      name: member.upstream.name,
      weight: member.weight,
      upstream_model: member.upstreamModel,
      status: member.upstream.health,
    })),
  }));
}

export function* modelReadings(models: Models, router: Router): Generator<ModelReading> {
  const nowMs = performance.now();
  for (const { name, versions } of models.list()) {
    const known = versions
      .map(({ model }) => router.serversWanted(model.pool))
      .filter((wanted) => wanted !== undefined);
    const serversWanted = known.length > 0 ? known.reduce((sum, wanted) => sum + wanted, 0) : undefined;
    const pools = versions.map(({ model }) => poolReading(model, router, nowMs));
    const retriesDenied = versions.reduce(
      (sum, { model }) => sum + router.figuresOf(model.pool).retriesDenied,
      0,
    );
    yield { name, serversWanted, retriesDenied, pools };
  }
}

function poolReading({ version, pool }: Model, router: Router, nowMs: number): PoolReading {
  const usable = pool.members.filter(({ upstream }) => upstream.serverHealth.isUsable(nowMs));
  const { inFlight, waiting } = router.figuresOf(pool);
  return {
    version,
    servers: pool.members.length,
    serversUsable: usable.length,
    inFlight,
    waiting,
    placesFree: placesFree(usable),
  };
}

function placesFree(members: readonly Member[]): number | undefined {
  let sum = 0;
  for (const { upstream } of members) {
    const { maxInFlight } = upstream.settings;
    if (maxInFlight === undefined) return undefined;
    sum += Math.max(0, maxInFlight - upstream.load.inFlight);
  }
  return sum;
}

export function redisReading(connection: RedisConnection): RedisReading {
  return { isUp: connection.state() === 'ok', pending: connection.pending() };
}

/** The servers that are compared with each other. */
export function* serverPools(models: Models): Generator<ServerPool> {
  for (const { name, versions } of models.list()) {
    for (const { model } of versions) {
      yield {
        model: name,
        servers: model.pool.members.map(({ upstream }) => upstream.serverHealth),
      };
    }
  }
}
