import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { prometheusRule } from '../../deploy/kubernetes/prometheus-rule.ts';
import { missingPrograms } from '../support/programs.ts';
import { build, kubernetes, ofKind, root, workloadsOf } from './support/manifests.ts';

const noKubectl = missingPrograms('kubectl');
/** `kubectl apply` keeps a copy in an annotation, and all annotations together may have so many bytes. */
const APPLIED_BYTES_MAX = 262_144;

test('the rules for the operator are those of deploy/prometheus', () => {
  const made = readFileSync(join(kubernetes, 'components/monitoring/prometheus-rule.yaml'), 'utf8');
  assert.equal(made, prometheusRule(), 'make it anew with deploy/kubernetes/prometheus-rule.ts');
});

test('every dashboard becomes a ConfigMap', () => {
  const { configMapGenerator } = parse(readFileSync(join(root, 'grafana/kustomization.yaml'), 'utf8'));
  const listed = configMapGenerator.flatMap(({ files }: { files: string[] }) => files);
  assert.deepEqual(listed.sort(), globSync('json/*.json', { cwd: join(root, 'grafana') }).sort());
});

test('Kustomize builds base and production', { skip: noKubectl }, () => {
  for (const folder of ['base', 'production']) {
    const manifests = build(folder);
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    assert.equal(new Set(names).size, names.length);
    // The name of the configuration has a hash, and whoever mounts it knows it.
    const configMaps = ofKind(manifests, 'ConfigMap').map(({ metadata }) => metadata?.name);
    for (const { name, pod } of workloadsOf(manifests)) {
      const mounted = (pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []);
      for (const one of mounted) {
        assert.match(one, /^sluice-.+/);
        assert.ok(configMaps.includes(one), `${name}: ${one}`);
      }
    }
    for (const manifest of manifests)
      assert.ok(Buffer.byteLength(JSON.stringify(manifest)) < APPLIED_BYTES_MAX, manifest.metadata.name);
  }
});

test('in production, autoscalers alone say how many pods there are', { skip: noKubectl }, () => {
  const manifests = build('production');
  for (const { spec } of ofKind(manifests, 'Deployment')) assert.equal(spec?.replicas, undefined);
  for (const { container } of workloadsOf(manifests))
    assert.match(String(container.image), /^registry\.example\.com\/sluice:/);
});
