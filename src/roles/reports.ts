/** What the admin API tells of servers and models. */
import type { ModelReport, UpstreamReport } from '../admin/app.ts';
import type { Models } from '../upstream/models.ts';
import { allMembers, type PublicModel } from '../upstream/public-model.ts';

export function upstreamReports(models: Models): UpstreamReport[] {
  const served = models.list().map((model) => ({ name: model.name, members: allMembers(model) }));
  return [...models.upstreams.values()].map((upstream) => ({
    name: upstream.name,
    url: upstream.origin + upstream.basePath,
    status: upstream.health,
    in_flight: upstream.load.inFlight,
    models: served.flatMap(({ name, members }) =>
      members.some((member) => member.upstream === upstream) ? [name] : [],
    ),
    max_in_flight: upstream.settings.maxInFlight ?? null,
    labels: upstream.settings.labels,
  }));
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
