/** Manifests of deploy/kubernetes, as they stand in the files and as Kustomize builds them. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import type {
  IPodMonitor,
  IPrometheusRule,
} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { ICronJob } from 'kubernetes-models/batch/v1';
import type { IIngress, INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IConfigMap, IContainer, INamespace, IPodSpec, ISecret, IService } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const kubernetes = join(root, 'deploy/kubernetes');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
}

interface Kinds {
  ConfigMap: IConfigMap;
  CronJob: ICronJob;
  Deployment: IDeployment;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  HTTPRoute: IHTTPRoute;
  Ingress: IIngress;
  Namespace: INamespace;
  NetworkPolicy: INetworkPolicy;
  PodDisruptionBudget: IPodDisruptionBudget;
  PodMonitor: IPodMonitor;
  PrometheusRule: IPrometheusRule;
  ScaledObject: IScaledObject;
  Secret: ISecret;
  Service: IService;
}

/** What Kustomize or Helm read, and not the API. */
const others = /\/(kustomization|prometheus-adapter-values|sluice)\.yaml$/;

/** Of base, components and the example of the Secret. */
export function sourceManifests(): Manifest[] {
  return globSync('**/*.yaml', { cwd: kubernetes })
    .filter((name) => !others.test(`/${name}`))
    .sort()
    .flatMap((name) => manifestsOf(readFileSync(join(kubernetes, name), 'utf8'), name));
}

/** @throws on what Kustomize cannot build */
export function build(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(kubernetes, folder)], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(`${folder}: ${stderr}`);
  return manifestsOf(stdout, folder);
}

/** Kubernetes reads YAML as it was before version 1.2. @throws on broken YAML and repeated keys */
function manifestsOf(text: string, source: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${source}: ${document.errors[0]?.message}`);
    return document.toJS() as Manifest;
  });
}

/** The schema tests say whether they have the shape of their kind. */
export function ofKind<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): Kinds[Kind][] {
  return manifests.filter((manifest) => manifest.kind === kind) as Manifest[] & Kinds[Kind][];
}

export interface Workload {
  readonly name: string;
  /** Of its pods. */
  readonly labels: Record<string, string>;
  readonly pod: IPodSpec;
  readonly container: IContainer;
}

/** Whatever makes pods; each has one container. */
export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  const templates = [
    ...ofKind(manifests, 'Deployment').map(({ metadata, spec }) => ({ metadata, template: spec?.template })),
    ...ofKind(manifests, 'CronJob').map(({ metadata, spec }) => ({
      metadata,
      template: spec?.jobTemplate.spec?.template,
    })),
  ];
  return templates.map(({ metadata, template }) => {
    const name = metadata?.name;
    const [container, ...more] = template?.spec?.containers ?? [];
    if (!name || !template?.spec || !container || more.length > 0) throw new Error(`${name}: unusual`);
    return { name, labels: template.metadata?.labels ?? {}, pod: template.spec, container };
  });
}

interface Selector {
  readonly matchLabels?: Record<string, string> | null;
  readonly matchExpressions?:
    | readonly { key: string; operator: string; values?: readonly string[] | null }[]
    | null;
}

/** As Kubernetes does; an empty selector matches everything. */
export function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector.matchLabels ?? {});
  return (
    wanted.every(([name, value]) => labels[name] === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`operator ${operator} is not known here`);
      return values?.includes(labels[key] ?? '');
    })
  );
}
