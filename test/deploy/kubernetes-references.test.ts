import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { createProbeApp } from '../../src/admin/probe-app.ts';
import { variables } from '../../src/config/environment.ts';
import { configSchema } from '../../src/config/schema.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { kubernetes, ofKind, selects, sourceManifests, workloadsOf } from './support/manifests.ts';

const manifests = sourceManifests();
const workloads = workloadsOf(manifests);
const settings = parse(readFileSync(join(kubernetes, 'base/sluice.yaml'), 'utf8'));
const config = configSchema.parse({ ...settings, secret: 's'.repeat(32) });
const metrics = readFileSync(join(kubernetes, '../../METRICS.md'), 'utf8');

function workload(name: string) {
  const found = workloads.find((one) => one.name === name);
  assert.ok(found, `no workload ${name}`);
  return found;
}

function portsOf(name: string): Map<string | undefined, number> {
  return new Map(
    (workload(name).container.ports ?? []).map(({ name: port, containerPort }) => [
      port ?? undefined,
      containerPort,
    ]),
  );
}

test('services, budgets, monitors and policies select pods that there are, by ports that these have', () => {
  const selecting = [
    ...ofKind(manifests, 'Service').map(({ metadata, spec }) => ({
      name: metadata?.name,
      selector: { matchLabels: spec?.selector ?? {} },
      ports: (spec?.ports ?? []).map(({ targetPort }) => targetPort),
    })),
    ...ofKind(manifests, 'PodDisruptionBudget').map(({ metadata, spec }) => ({
      name: metadata?.name,
      selector: spec?.selector ?? {},
      ports: [],
    })),
    ...ofKind(manifests, 'PodMonitor').map(({ metadata, spec }) => ({
      name: metadata?.name,
      selector: spec.selector,
      ports: (spec.podMetricsEndpoints ?? []).map(({ port }) => port),
    })),
    ...ofKind(manifests, 'NetworkPolicy').map(({ metadata, spec }) => ({
      name: metadata?.name,
      selector: spec?.podSelector ?? {},
      ports: (spec?.ingress ?? []).flatMap(({ ports }) => (ports ?? []).map(({ port }) => port)),
    })),
  ];
  for (const { name, selector, ports } of selecting) {
    const selected = workloads.filter(({ labels }) => selects(selector, labels));
    assert.ok(selected.length > 0, `${name} selects nothing`);
    for (const { name: pod } of selected)
      for (const port of ports)
        assert.ok(portsOf(pod).has(String(port)), `${name}: ${pod} has no port ${port}`);
  }
});

test('every pod is reached by the deny-all policy and may ask Redis', () => {
  const policies = ofKind(manifests, 'NetworkPolicy');
  for (const { name, labels } of workloads)
    for (const wanted of ['sluice-deny-all', 'sluice-redis']) {
      const policy = policies.find(({ metadata }) => metadata?.name === wanted);
      assert.ok(policy?.spec && selects(policy.spec.podSelector ?? {}, labels), `${wanted}: ${name}`);
    }
});

test('ports are those on which the processes listen', () => {
  assert.equal(portsOf('sluice-gateway').get('http'), config.listen.port);
  assert.equal(portsOf('sluice-gateway').get('admin'), config.admin.port);
  const worker = readFileSync(join(kubernetes, '../../src/roles/worker.ts'), 'utf8');
  assert.equal(portsOf('sluice-worker').get('admin'), Number(/ADMIN_PORT = (\d+)/.exec(worker)?.[1]));
});

test('every container runs a role that there is', () => {
  const main = readFileSync(join(kubernetes, '../../src/main.ts'), 'utf8');
  const roles = [...main.matchAll(/^ {2}(\w+): \(\) => import/gm)].map(([, role]) => role);
  assert.ok(roles.includes('gateway'));
  for (const { name, container } of workloads) assert.ok(roles.includes(container.args?.[0]), name);
});

test('probes and scrapes ask for what the admin listeners answer', async (context) => {
  const app = createProbeApp(
    {
      readiness: () => ({ ready: true, detail: { gateway: 'ok', redis: 'ok', queue: 'ok', upstreams: {} } }),
      metrics: async () => ({ contentType: 'text/plain', text: '' }),
    },
    createLog({ level: 'silent' }, {}).logger,
  );
  context.after(() => app.close());
  const asked = [
    ...ofKind(manifests, 'Deployment').flatMap(({ metadata }) => {
      const { startupProbe, readinessProbe, livenessProbe } = workload(String(metadata?.name)).container;
      return [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet);
    }),
    ...ofKind(manifests, 'PodMonitor').flatMap(({ spec }) => spec.podMetricsEndpoints ?? []),
  ];
  assert.equal(asked.length, 8);
  for (const one of asked) {
    assert.equal(one?.port, 'admin');
    assert.equal((await app.inject(String(one?.path))).statusCode, 200, one?.path ?? '');
  }
});

test('files that variables name are mounted, and come from what the example of the Secret has', () => {
  const [secret] = ofKind(manifests, 'Secret');
  const known = new Set(variables.filter((variable) => variable.secret).map(({ name }) => `${name}_FILE`));
  for (const { name, pod, container } of workloads) {
    const mounted = (container.volumeMounts ?? []).flatMap(({ name: volumeName, mountPath }) => {
      const volume = (pod.volumes ?? []).find((one) => one.name === volumeName);
      assert.ok(volume, `${name}: no volume ${volumeName}`);
      if (volume.configMap) return [`${mountPath}/sluice.yaml`];
      if (volume.secret) assert.equal(volume.secret.secretName, secret?.metadata?.name);
      return (volume.secret?.items ?? []).map(({ key, path }) => {
        assert.ok(Object.hasOwn(secret?.stringData ?? {}, key), `${name}: the Secret has no ${key}`);
        return `${mountPath}/${path}`;
      });
    });
    for (const { name: variable, value } of container.env ?? []) {
      assert.ok(variable === 'SLUICE_CONFIG' || known.has(variable), `${name}: ${variable} is no variable`);
      assert.ok(mounted.includes(String(value)), `${name}: ${value} is not mounted`);
    }
    assert.equal(
      container.env?.some((one) => one.name === 'REDIS_URL_FILE'),
      true,
    );
  }
});

test('a pod that ends has the time that its drain may take', () => {
  const drainSeconds = config.drain.limit_seconds + config.drain.quiet_seconds + 5;
  for (const { name, pod, container } of workloads.filter((one) => one.name !== 'sluice-backup')) {
    const pauseSeconds = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
    assert.ok((pod.terminationGracePeriodSeconds ?? 30) >= pauseSeconds + drainSeconds, name);
    assert.ok(
      name !== 'sluice-gateway' || pauseSeconds >= 5,
      'balancers hear of the end before the socket closes',
    );
  }
});

test('every pod keeps to the rules that its namespace enforces, and writes nothing into its image', () => {
  const [namespace] = ofKind(manifests, 'Namespace');
  assert.equal(namespace?.metadata?.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
  for (const { name, pod, container } of workloads) {
    assert.equal(pod.automountServiceAccountToken, false, name);
    assert.equal(pod.securityContext?.runAsNonRoot, true, name);
    assert.equal(pod.securityContext?.seccompProfile?.type, 'RuntimeDefault', name);
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.ok(container.resources?.limits?.memory && container.resources.requests?.cpu, name);
  }
});

test('what scales names deployments that there are, and metrics that there are', () => {
  const scaling = [
    ...ofKind(manifests, 'HorizontalPodAutoscaler').map(({ spec }) => ({
      target: spec?.scaleTargetRef.name,
      text: JSON.stringify(spec?.metrics),
    })),
    ...ofKind(manifests, 'ScaledObject').map(({ spec }) => ({
      target: spec.scaleTargetRef.name,
      text: JSON.stringify(spec.triggers),
    })),
  ];
  assert.equal(scaling.length, 2);
  const adapter = readFileSync(
    join(kubernetes, 'components/autoscaling/prometheus-adapter-values.yaml'),
    'utf8',
  );
  for (const { target, text } of scaling) {
    workload(target ?? '');
    for (const name of new Set([...text.matchAll(/sluice_\w+/g)].map(([found]) => found))) {
      assert.ok(metrics.includes(`\`${name}`), `${name} is no metric`);
      assert.ok(
        target !== 'sluice-gateway' || adapter.includes(name),
        `${name} is not shown to the autoscaler`,
      );
    }
  }
  const [worker] = ofKind(manifests, 'ScaledObject');
  const work = worker?.spec.triggers.find(({ name }) => name === 'work');
  assert.equal(Number(work?.metadata.threshold), config.worker.concurrency * 0.75);
});

test('routes from outside lead to the public port, with the limits of the gateway', () => {
  const [service] = ofKind(manifests, 'Service').filter(
    ({ metadata }) => metadata?.name === 'sluice-gateway',
  );
  const [port] = service?.spec?.ports ?? [];
  assert.equal(port?.targetPort, 'http');

  const [ingress] = ofKind(manifests, 'Ingress');
  const backend = ingress?.spec?.rules?.[0]?.http?.paths[0]?.backend.service;
  assert.deepEqual([backend?.name, backend?.port?.name], ['sluice-gateway', port?.name]);
  const annotation = (name: string) =>
    ingress?.metadata?.annotations?.[`nginx.ingress.kubernetes.io/${name}`];
  assert.equal(annotation('proxy-buffering'), 'off');
  assert.equal(Number(annotation('proxy-body-size')), config.listen.body_limit_bytes);
  const waitSeconds = config.waiting.seconds_max + config.timeouts.total_ms / 1_000;
  assert.ok(Number(annotation('proxy-read-timeout')) >= waitSeconds);
  assert.doesNotMatch(String(annotation('proxy-next-upstream')), /non_idempotent/);

  const [route] = ofKind(manifests, 'HTTPRoute');
  const [target] = route?.spec.rules?.[0]?.backendRefs ?? [];
  assert.deepEqual([target?.name, target?.port], ['sluice-gateway', port?.port]);
});

test('the example of the Secret holds no value', () => {
  const [secret] = ofKind(manifests, 'Secret');
  assert.deepEqual(Object.keys(secret?.data ?? {}), []);
  for (const value of Object.values(secret?.stringData ?? {})) assert.match(value, /^<.*>$/);
});
