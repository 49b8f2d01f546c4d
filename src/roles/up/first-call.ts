/** What a newcomer may try, and which servers would not answer it yet. */
import { call, field } from './first-key.ts';
import type { Plan } from './plan.ts';

export interface FirstCall {
  readonly path: string;
  readonly body: object;
}

/** To the first model that the gateway serves, else to the first route of the file; undefined: there is neither. */
export async function firstCall(
  publicUrl: string,
  key: string,
  { routePath }: Pick<Plan, 'routePath'>,
): Promise<FirstCall | undefined> {
  const models = field((await call(`${publicUrl}/v1/models`, key)).body, 'data');
  const model = Array.isArray(models) ? field(models[0], 'id') : undefined;
  if (typeof model === 'string') return chatCall(model);
  return routePath === undefined ? undefined : { path: routePath, body: { input_data: 'Hello' } };
}

export function chatCall(model: string): FirstCall {
  return { path: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'Hello' }] } };
}

/** Servers that the gateway would send no calls to, as `name (address, state)`. */
export async function absentServers(adminUrl: string, adminToken: string): Promise<string[]> {
  const servers = field((await call(`${adminUrl}/admin/v1/upstreams`, adminToken)).body, 'data');
  if (!Array.isArray(servers)) return [];
  return servers.flatMap((server) => {
    const status = field(server, 'status');
    return status === 'healthy' ? [] : [`${field(server, 'name')} (${field(server, 'url')}, ${status})`];
  });
}

/** A command that can be pasted into any shell. */
export function callToTry(publicUrl: string, key: string, { path, body }: FirstCall): string {
  return [
    `curl ${publicUrl}${path}`,
    `-H "Authorization: Bearer ${key}"`,
    '-H "Content-Type: application/json"',
    `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`,
  ].join(' ');
}
