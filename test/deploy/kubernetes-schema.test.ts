import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingPrograms } from '../support/programs.ts';
import { faultsOf } from './support/kubernetes-models.ts';
import { build, type Manifest, sourceManifests } from './support/manifests.ts';

test('every manifest fits the API that it is written for', async () => {
  const manifests = sourceManifests();
  const kinds = new Set(manifests.map(({ kind }) => kind));
  for (const kind of [
    'Deployment',
    'NetworkPolicy',
    'ScaledObject',
    'PodMonitor',
    'PrometheusRule',
    'HTTPRoute',
  ])
    assert.ok(kinds.has(kind), kind);
  assert.deepEqual(await faultsOf(manifests), []);
});

test('what Kustomize builds fits it too', { skip: missingPrograms('kubectl') }, async () => {
  assert.deepEqual(await faultsOf(build('production')), []);
});

test('a misspelt field, a wrong value and an unknown kind are found', async () => {
  const deployment = JSON.stringify(sourceManifests().find(({ kind }) => kind === 'Deployment'));
  const broken = (right: string, wrong: string): Manifest => {
    assert.ok(deployment.includes(right));
    return JSON.parse(deployment.replaceAll(right, wrong));
  };
  const faults = await faultsOf([
    broken('"terminationGracePeriodSeconds"', '"terminationGracePeriodSecond"'),
    broken('"maxSurge":1', '"maxSurge":true'),
    broken('"kind":"Deployment"', '"kind":"Deploymint"'),
  ]);
  for (const found of [/terminationGracePeriodSecond/, /maxSurge/, /Deploymint/])
    assert.ok(
      faults.some((fault) => found.test(fault)),
      `${found} in ${faults.join('\n')}`,
    );
});
