/**
 * Prints the PrometheusRule of components/monitoring: the groups of deploy/prometheus/rules, wrapped for the Prometheus
 * operator. After a change there:
 *
 *     node deploy/kubernetes/prometheus-rule.ts > deploy/kubernetes/components/monitoring/prometheus-rule.yaml
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';

const rules = fileURLToPath(new URL('../prometheus/rules/', import.meta.url));

/** @returns YAML, the groups in the order of their files' names */
export function prometheusRule(): string {
  const groups = globSync('*.yaml', { cwd: rules })
    .sort()
    .flatMap((name) => (parse(readFileSync(join(rules, name), 'utf8')) as { groups: object[] }).groups);
  const resource = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'sluice' },
    spec: { groups },
  };
  const head = '# Made by deploy/kubernetes/prometheus-rule.ts of deploy/prometheus/rules; change those.\n';
  return head + stringify(resource, { lineWidth: 0 });
}

if (import.meta.main) process.stdout.write(prometheusRule());
