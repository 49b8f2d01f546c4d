/** `sluice config check`: would a gateway start with this configuration? */
import { configVariable, type Environment } from '../config/environment.ts';
import { formatFault } from '../config/fault.ts';
import { loadConfig } from '../config/load.ts';
import type { MemberConfig } from '../config/pools.ts';
import type { Config, ModelConfig } from '../config/schema.ts';

/**
 * Writes `ok` and a summary without secrets, or every fault on a line of its own; or faults and warnings as JSON.
 * @returns The exit code: 0, or 1 on any fault. Warnings do not count.
 */
export async function configCheck(
  env: Environment,
  write: (text: string) => void,
  asJson = false,
): Promise<number> {
  const loaded = loadConfig({ env });
  if (asJson) {
    const faults = loaded.ok ? [] : loaded.faults;
    const warnings = loaded.ok ? loaded.warnings : [];
    write(`${JSON.stringify({ status: loaded.ok ? 'ok' : 'faulty', faults, warnings }, null, 2)}\n`);
    return loaded.ok ? 0 : 1;
  }
  if (!loaded.ok) {
    for (const fault of loaded.faults) write(`${formatFault(fault)}\n`);
    write(`${loaded.faults.length} ${loaded.faults.length === 1 ? 'fault' : 'faults'}\n`);
    return 1;
  }
  for (const warning of loaded.warnings) write(`warning: ${formatFault(warning)}\n`);
  write(`ok\n${summary(loaded.config, env[configVariable])}`);
  return 0;
}

function summary(config: Config, file?: string): string {
  const { listen, admin, upstreams, models, default_model, routes, policies, tenants } = config;
  const lines: [string, string][] = [
    ['file', file || 'none'],
    ['public', `${listen.host}:${listen.port}`],
    ['admin', `${admin.host}:${admin.port}, API ${admin.token ? 'on' : 'off (no token)'}`],
  ];
  for (const { name, url, discover } of upstreams) {
    lines.push(['upstream', `${name} ${url}${discover ? ', all models that it lists' : ''}`]);
  }
  for (const model of models) {
    const { name, aliases } = model;
    const also = aliases.length > 0 ? `, also ${aliases.join(' ')}` : '';
    lines.push([
      'model',
      `${name}${also}, on ${poolsText(model)}${name === default_model ? ', default' : ''}`,
    ]);
  }
  for (const { methods, path, upstream } of routes) {
    lines.push(['route', `${methods.join(' ')} ${path}, on ${upstream}`]);
  }
  for (const { name } of policies) lines.push(['policy', name]);
  for (const { name, policy } of tenants) lines.push(['tenant', policy ? `${name}, policy ${policy}` : name]);
  return lines.map(([what, value]) => `  ${what.padEnd(9)}${value}\n`).join('');
}

function poolsText({ upstreams = [], versions }: ModelConfig): string {
  if (!versions) return serversText(upstreams);
  const total = versions.reduce((sum, { weight }) => sum + weight, 0);
  return versions
    .map(({ name, weight, upstreams: servers }) => {
      return `${serversText(servers)} (${name}, ${Math.round((weight / total) * 1_000) / 10} %)`;
    })
    .join(', ');
}

function serversText(servers: readonly MemberConfig[]): string {
  return servers.map(({ name, weight }) => (weight === 1 ? name : `${name} ×${weight}`)).join(' ');
}
