/** What is allowed, but hardly meant. */
import type { Finding } from './fault.ts';
import { membersOf } from './pools.ts';
import type { Config } from './schema.ts';

export function findDoubts({ upstreams, models, routes, listen }: Config): Finding[] {
  const findings: Finding[] = [];
  if (upstreams.length === 0) {
    findings.push({
      path: ['upstreams'],
      problem: 'there is no upstream, so no request can be served',
      remedy: 'set UPSTREAM_URL, or name upstreams and models in the file',
    });
  }
  const used = new Set([
    ...models.flatMap((model) => membersOf(model).map(({ name }) => name)),
    ...routes.map((route) => route.upstream),
  ]);
  for (const [index, { name, discover }] of upstreams.entries()) {
    if (discover || used.has(name)) continue;
    findings.push({
      path: ['upstreams', index],
      problem: `no model and no route uses ${name}`,
      remedy: 'name it in one, set discover: true, or remove it',
    });
  }
  for (const [index, proxy] of listen.trusted_proxies.entries()) {
    if (!proxy.endsWith('/0')) continue;
    findings.push({
      path: ['listen', 'trusted_proxies', index],
      problem: 'every caller may choose the address that is logged and checked',
      remedy: 'name the networks of your own proxies only',
    });
  }
  return findings;
}
