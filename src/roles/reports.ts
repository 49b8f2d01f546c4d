/** What the admin API and the probes are told of servers and models. */
import type { ModelReport } from '../admin/app.ts';
import { reportOf, type UpstreamReport } from '../admin/upstreams.ts';
import type { ServerPool } from '../upstream/health/slow-servers.ts';
import type { Member } from '../upstream/member.ts';
import type { Models } from '../upstream/models.ts';
import { allMembers, type PublicModel } from '../upstream/public-model.ts';

export function upstreamReports(models: Models): UpstreamReport[] {
  const nowMs = performance.now();
  const served = models.list().map((model) => ({ name: model.name, members: allMembers(model) }));
  return [...models.upstreams.values()].map((upstream) => {
    const isMember = (member: Member) => member.upstream === upstream;
    const names = served.flatMap(({ name, members }) => (members.some(isMember) ? [name] : []));
    return reportOf(upstream, names, nowMs);
  });
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
