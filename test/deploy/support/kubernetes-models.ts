/**
 * Checks manifests against the API of Kubernetes, KEDA, the Prometheus operator and the Gateway API, as the packages
 * kubernetes-models and @kubernetes-models/* have them: values by their validators, fields that do not exist by the
 * TypeScript compiler, which alone knows all names.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, root } from './manifests.ts';

/** The module of each group and version that is used here. */
const modules: Readonly<Record<string, string>> = {
  v1: 'kubernetes-models/v1',
  'apps/v1': 'kubernetes-models/apps/v1',
  'autoscaling/v2': 'kubernetes-models/autoscaling/v2',
  'batch/v1': 'kubernetes-models/batch/v1',
  'policy/v1': 'kubernetes-models/policy/v1',
  'networking.k8s.io/v1': 'kubernetes-models/networking.k8s.io/v1',
  'keda.sh/v1alpha1': '@kubernetes-models/keda/keda.sh/v1alpha1',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  'gateway.networking.k8s.io/v1': '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1',
};

interface Model {
  validate(): void;
}

/** @returns one line for each fault */
export async function faultsOf(manifests: readonly Manifest[]): Promise<string[]> {
  const values = await Promise.all(manifests.map(valueFault));
  return [...values.filter((fault) => fault !== undefined), ...unknownFields(manifests)];
}

function moduleOf({ apiVersion, kind }: Manifest): string {
  const found = Object.hasOwn(modules, apiVersion) ? modules[apiVersion] : undefined;
  if (!found) throw new Error(`${kind}: nothing is known of ${apiVersion}`);
  return found;
}

async function valueFault(manifest: Manifest): Promise<string | undefined> {
  const exported = (await import(moduleOf(manifest))) as Record<string, new (data: Manifest) => Model>;
  const { kind, metadata } = manifest;
  const Kind = Object.hasOwn(exported, kind) ? exported[kind] : undefined;
  if (!Kind) return `${kind}: no such kind in ${manifest.apiVersion}`;
  try {
    new Kind(manifest).validate();
    return undefined;
  } catch (error) {
    return `${kind} ${metadata.name}: ${(error as Error).message}`;
  }
}

/** Each manifest becomes a constant of its type, in which the compiler refuses names that the type lacks. */
function unknownFields(manifests: readonly Manifest[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-manifests-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const names = manifests.map((manifest, index) => {
      const name = `${manifest.kind}-${index}`;
      const type = `import type { I${manifest.kind} as Shape } from '${moduleOf(manifest)}';\n`;
      writeFileSync(
        join(folder, `${name}.ts`),
        `${type}export const it: Shape = ${JSON.stringify(manifest, null, 1)};\n`,
      );
      return `${name}.ts`;
    });
    const options = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'esnext',
      '--types',
      '',
      '--pretty',
      'false',
    ];
    const compiler = createRequire(import.meta.url)
      .resolve('typescript/package.json')
      .replace('package.json', 'bin/tsc');
    const { stdout, status } = spawnSync(process.execPath, [compiler, ...options, ...names], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
    });
    const lines = stdout.split('\n').filter((line) => /^[^\s].*error TS/.test(line));
    if (status !== 0 && lines.length === 0) throw new Error(`the compiler failed: ${stdout}`);
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
