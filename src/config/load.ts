/**
 * Brings defaults, file and environment together and checks all of it at once. The environment wins over the
 * file, the file over the defaults that the caller passes; lists are replaced, not joined.
 */
import { readFileSync } from 'node:fs';
import { findDoubts } from './doubts.ts';
import {
  configVariable,
  type Environment,
  type ReadFile,
  readEnvironment,
  reasonOf,
  type Setting,
  variableFor,
} from './environment.ts';
import { explain, unexplained } from './explain.ts';
import { type Fault, type Finding, formatPath } from './fault.ts';
import { checkReferences } from './references.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';
import { readNamedSecrets, secretsInFile } from './secrets.ts';
import { freeze, isMapping, merge, put, upstreamsOf, type Values, valueAt } from './values.ts';
import { readYaml, type YamlFile } from './yaml-file.ts';

export interface LoadOptions {
  readonly env: Environment;
  /** May throw; by default reads UTF-8 from disk. */
  readonly readFile?: ReadFile;
  /** Lie under file and environment. */
  readonly defaults?: Partial<ConfigInput>;
}

export type LoadResult =
  | {
      readonly ok: true;
      /** Frozen to its depths. `api_key` of an upstream holds what `api_key_env` names. Never log it. */
      readonly config: Config;
      readonly warnings: readonly Fault[];
    }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads `SLUICE_CONFIG` and the variables of a gateway. Never throws; reports all faults together. */
export function loadConfig({ env, readFile = readText, defaults = {} }: LoadOptions): LoadResult {
  const fileName = env[configVariable];
  const file = fileName ? openFile(fileName, readFile) : undefined;
  const base = merge(defaults as Values, file?.value ?? {});
  const environment = readEnvironment(env, readFile, upstreamsOf(base).length);
  const named = readNamedSecrets(base, env, readFile);
  const settings = [...environment.settings, ...named.settings];
  const raw = settings.reduce(put, base);

  const parsed = configSchema.safeParse(raw, { error: unexplained });
  const findings = [
    ...(parsed.success ? [] : explain(raw, parsed.error.issues, variableFor)),
    ...checkReferences(raw),
    ...named.findings,
  ];
  const locate = (finding: Finding) => placed(finding, raw, settings, file, fileName);
  const faults = [
    ...(file?.faults ?? []),
    ...(fileName && file?.value
      ? secretsInFile(file.value).map((finding) => inFile(finding, file, fileName))
      : []),
    ...environment.faults,
    ...(file && !file.value ? [] : loneUpstreamKey(environment.loneUpstreamKey, base)),
    ...findings
      .filter(({ path }) => !environment.faults.some((fault) => fault.path === formatPath(path)))
      .map(locate),
  ];
  if (faults.length > 0 || !parsed.success) return { ok: false, faults: inOrder(faults) };
  const warnings = [...environment.warnings, ...findDoubts(parsed.data).map(locate)];
  return { ok: true, config: freeze(parsed.data), warnings };
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

function openFile(name: string, readFile: ReadFile): YamlFile {
  try {
    return readYaml(readFile(name), name);
  } catch (error) {
    const problem = `the file cannot be read (${reasonOf(error)})`;
    const fault = {
      source: configVariable,
      path: '',
      problem: `${name}: ${problem}`,
      remedy: 'check path and rights',
    };
    return { value: undefined, faults: [fault], locate: () => undefined };
  }
}

function loneUpstreamKey(source: string | undefined, base: Readonly<Values>): Fault[] {
  const wanted = upstreamsOf(base).some(
    (upstream) => isMapping(upstream) && upstream.api_key_env === 'UPSTREAM_API_KEY',
  );
  if (!source || wanted) return [];
  const remedy = 'set UPSTREAM_URL as well, or name the variable in api_key_env of an upstream';
  return [{ source, path: '', problem: 'there is no upstream that it belongs to', remedy }];
}

function inFile({ path, problem, remedy }: Finding, file: YamlFile, fileName: string): Fault {
  return { source: fileName, ...file.locate(path), path: formatPath(path), problem, remedy };
}

/** Finds out who brought the value: a variable, the file, or nobody. */
function placed(
  finding: Finding,
  raw: Readonly<Values>,
  settings: readonly Setting[],
  file: YamlFile | undefined,
  fileName: string | undefined,
): Fault {
  const path = formatPath(finding.path);
  const within = (place: string) =>
    path === place || path.startsWith(`${place}.`) || path.startsWith(`${place}[`);
  const setting = settings.find((candidate) => within(formatPath(candidate.path)));
  const absent = valueAt(raw, finding.path) === undefined ? variableFor(finding.path) : undefined;
  const source = setting?.source ?? absent;
  if (source === undefined && file?.value && fileName) return inFile(finding, file, fileName);
  const { problem, remedy } = finding;
  return { source: source ?? variableFor(finding.path) ?? 'defaults', path, problem, remedy };
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return [...faults].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
