/** Where secrets may come from, and which values are never shown. */
import { type Environment, type ReadFile, readSecret, type Setting } from './environment.ts';
import { type Finding, formatPath, type Path } from './fault.ts';
import { variablePattern } from './fields.ts';
import { isMapping, upstreamsOf, type Values, valueAt } from './values.ts';

/**
 * Places whose value is never shown. Addresses may hold a password, and a key may stand where
 * the name of its variable belongs.
 */
const secretPaths = [
  /^secret$/,
  /^admin\.token$/,
  /^redis\.(url|sentinel_password)$/,
  /^queue\.redis_url$/,
  /^keys\.environment/,
  /^upstreams\[\d+\]\.(api_key|api_key_env|url)$/,
  /^auth\.jwt\.issuers\[\d+\]\.(secret|secret_env)$/,
];

export function isSecret(path: Path): boolean {
  const place = formatPath(path);
  return secretPaths.some((pattern) => pattern.test(place));
}

/** Fetches what `api_key_env` and `secret_env` name, so that nothing behind this point reads the environment. */
export function readNamedSecrets(base: Readonly<Values>, env: Environment, readFile: ReadFile) {
  const settings: Setting[] = [];
  const findings: Finding[] = [];
  const places: [owner: unknown, path: Path, field: string][] = [
    ...upstreamsOf(base).map((one, index): [unknown, Path, string] => [one, ['upstreams', index], 'api_key']),
    ...issuersOf(base).map((one, index): [unknown, Path, string] => [one, [...issuersPath, index], 'secret']),
  ];
  for (const [owner, place, field] of places) {
    const name = isMapping(owner) ? owner[`${field}_env`] : undefined;
    if (typeof name !== 'string' || !variablePattern.test(name)) continue;
    const found = readSecret(env, name, readFile);
    if (found?.ok) {
      settings.push({ path: [...place, field], value: found.value, source: found.source });
    } else {
      findings.push({
        path: [...place, `${field}_env`],
        problem: found?.problem ?? unset(name),
        remedy: found?.remedy ?? 'set it, or the same with _FILE',
      });
    }
  }
  return { settings, findings };
}

const issuersPath = ['auth', 'jwt', 'issuers'] as const;

function issuersOf(base: Readonly<Values>): readonly unknown[] {
  const issuers = valueAt(base, issuersPath);
  return Array.isArray(issuers) ? issuers : [];
}

/** What does not look like a variable may be the key itself, put into the wrong place, and is not repeated. */
function unset(name: string): string {
  return `the variable ${/^[A-Z][A-Z0-9_]{0,63}$/.test(name) ? name : 'that it names'} is not set`;
}

/** Files are committed, copied and shown around; a secret in one is a secret no longer. */
export function secretsInFile(value: Readonly<Values>): Finding[] {
  const upstreams = upstreamsOf(value);
  const places: [Path, remedy: string][] = [
    [['secret'], 'set SLUICE_SECRET or SLUICE_SECRET_FILE'],
    [['admin', 'token'], 'set SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE'],
    [['redis', 'sentinel_password'], 'set REDIS_SENTINEL_PASSWORD or REDIS_SENTINEL_PASSWORD_FILE'],
    [['keys', 'environment'], 'set SLUICE_KEYS or SLUICE_KEYS_FILE'],
    ...upstreams.map((_, index): [Path, string] => [
      ['upstreams', index, 'api_key'],
      'put it into an environment variable and name that in api_key_env',
    ]),
    ...issuersOf(value).map((_, index): [Path, string] => [
      [...issuersPath, index, 'secret'],
      'put it into an environment variable and name that in secret_env',
    ]),
  ];
  const findings = places
    .filter(([path]) => valueAt(value, path) !== undefined)
    .map(([path, remedy]) => ({ path, problem: 'a secret must not stand in the file', remedy }));
  const addresses: [Path, variable: string][] = [
    [['redis', 'url'], 'REDIS_URL'],
    [['queue', 'redis_url'], 'QUEUE_REDIS_URL'],
  ];
  for (const [path, variable] of addresses) {
    const address = valueAt(value, path);
    if (typeof address !== 'string' || !address.includes('@')) continue;
    const remedy = `set ${variable} or ${variable}_FILE`;
    findings.push({ path, problem: 'a password must not stand in the file', remedy });
  }
  return findings;
}
