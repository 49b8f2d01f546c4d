/**
 * Every environment variable that a gateway reads, with the place in the schema that it fills. An empty variable
 * counts as unset, because that is what `NAME=${NAME:-}` in a compose file leaves behind.
 */
import { type Fault, formatPath, type Path } from './fault.ts';
import { nearest } from './nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type ReadFile = (path: string) => string;

type Parsed = { ok: true; value: unknown } | { ok: false; problem: string; remedy: string };

interface Variable {
  readonly name: string;
  /** Where the value goes. The upstream of `UPSTREAM_URL` is put behind those of the file. */
  readonly path: Path;
  /** Its value is never shown, and `<name>_FILE` may name a file that holds it. */
  readonly secret: boolean;
  readonly parse: (text: string) => Parsed;
  readonly meaning: string;
}

/** Names the YAML file; not part of the table, because it fills no place in the schema. */
export const configVariable = 'SLUICE_CONFIG';
/** Stands for the index behind the last upstream of the file. */
const APPENDED = -1;

const asText = (text: string): Parsed => ({ ok: true, value: text });
/** What is no number is handed on as it is: the schema then says what it must be. */
const asNumber = (text: string): Parsed => ({
  ok: true,
  value: /^\d{1,15}$/.test(text) ? Number(text) : text,
});
const asList = (text: string): Parsed => ({ ok: true, value: entriesOf(text) });

function entriesOf(text: string): string[] {
  return text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** `tenant=key,tenant=key`; a key may hold further `=`, but no comma. */
function asKeys(text: string): Parsed {
  const entries = entriesOf(text).map((entry) => {
    const at = entry.indexOf('=');
    return at < 1 ? undefined : { tenant: entry.slice(0, at).trim(), key: entry.slice(at + 1).trim() };
  });
  const broken = entries.indexOf(undefined);
  if (broken === -1) return { ok: true, value: entries };
  return { ok: false, problem: `entry ${broken + 1} names no tenant`, remedy: 'write tenant=key,tenant=key' };
}

const plain = { secret: false, parse: asText };
const secret = { secret: true, parse: asText };

export const variables: readonly Variable[] = [
  {
    ...secret,
    name: 'REDIS_URL',
    path: ['redis', 'url'],
    meaning: 'Redis: redis://, rediss:// (TLS), redis+sentinel:// or redis+cluster:// with several hosts.',
  },
  {
    ...secret,
    name: 'REDIS_SENTINEL_PASSWORD',
    path: ['redis', 'sentinel_password'],
    meaning: 'Password at the Sentinels, where they want another one than the servers.',
  },
  {
    ...secret,
    name: 'QUEUE_REDIS_URL',
    path: ['queue', 'redis_url'],
    meaning: 'Redis of jobs and their payloads, best apart; default: REDIS_URL.',
  },
  {
    ...plain,
    name: 'REDIS_PREFIX',
    path: ['redis', 'prefix'],
    meaning: 'Begins every key, so that two installations can share a server.',
  },
  {
    ...secret,
    name: 'SLUICE_SECRET',
    path: ['secret'],
    meaning: 'Pepper of the keys; the same on every replica, kept with the backups.',
  },
  { ...plain, name: 'HOST', path: ['listen', 'host'], meaning: 'Address of the public listener.' },
  {
    ...plain,
    name: 'PORT',
    path: ['listen', 'port'],
    parse: asNumber,
    meaning: 'Port of the public listener.',
  },
  { ...plain, name: 'ADMIN_HOST', path: ['admin', 'host'], meaning: 'Address of the admin listener.' },
  {
    ...plain,
    name: 'ADMIN_PORT',
    path: ['admin', 'port'],
    parse: asNumber,
    meaning: 'Port of the admin listener.',
  },
  {
    ...secret,
    name: 'SLUICE_ADMIN_TOKEN',
    path: ['admin', 'token'],
    meaning: 'Bearer for /admin; without it the admin API is off, never open.',
  },
  {
    ...plain,
    name: 'UPSTREAM_URL',
    path: ['upstreams', APPENDED, 'url'],
    meaning: 'Shortcut for one upstream, named default, that serves every model that it lists.',
  },
  {
    ...secret,
    name: 'UPSTREAM_API_KEY',
    path: ['upstreams', APPENDED, 'api_key'],
    meaning: 'The key that the upstream of UPSTREAM_URL wants.',
  },
  {
    ...secret,
    name: 'SLUICE_KEYS',
    path: ['keys', 'environment'],
    parse: asKeys,
    meaning: 'Keys that hold while the environment names them: tenant=key,tenant=key.',
  },
  {
    ...plain,
    name: 'TRUSTED_PROXIES',
    path: ['listen', 'trusted_proxies'],
    parse: asList,
    meaning: 'Addresses and networks, separated by commas, whose X-Forwarded-For is believed.',
  },
  {
    ...plain,
    name: 'SLUICE_TLS_CERT_FILE',
    path: ['listen', 'tls', 'cert_file'],
    meaning: 'PEM file of the certificate, for HTTPS on the public listener itself.',
  },
  {
    ...plain,
    name: 'SLUICE_TLS_KEY_FILE',
    path: ['listen', 'tls', 'key_file'],
    meaning: 'PEM file of its private key.',
  },
  {
    ...plain,
    name: 'LOG_LEVEL',
    path: ['log', 'level'],
    meaning: 'trace, debug, info, warn, error, fatal or silent.',
  },
  { ...plain, name: 'LOG_FILE', path: ['log', 'file'], meaning: 'Log file, opened anew on SIGHUP.' },
];

/** The variable that fills this place. */
export function variableFor(path: Path): string | undefined {
  const place = formatPath(path);
  return variables.find((variable) => formatPath(variable.path) === place)?.name;
}

export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** The variable that brought it: `SLUICE_SECRET` or `SLUICE_SECRET_FILE`. */
  readonly source: string;
}

export interface EnvironmentSettings {
  readonly settings: readonly Setting[];
  /** Set without `UPSTREAM_URL`: which variable holds it. */
  readonly loneUpstreamKey: string | undefined;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

/**
 * @param upstreamCount Upstreams in the file; the one of `UPSTREAM_URL` gets this index.
 */
export function readEnvironment(
  env: Environment,
  readFile: ReadFile,
  upstreamCount: number,
): EnvironmentSettings {
  const settings: Setting[] = [];
  const faults: Fault[] = [];
  for (const variable of variables) {
    const path = variable.path.map((step) => (step === APPENDED ? upstreamCount : step));
    const found = variable.secret ? readSecret(env, variable.name, readFile) : readPlain(env, variable.name);
    if (!found) continue;
    const parsed = found.ok ? variable.parse(found.value) : found;
    if (parsed.ok) settings.push({ path, value: parsed.value, source: found.source });
    else
      faults.push({
        source: found.source,
        path: formatPath(path),
        problem: parsed.problem,
        remedy: parsed.remedy,
      });
  }
  return { ...withUpstream(settings), faults, warnings: misspelt(env) };
}

/** Completes the upstream of `UPSTREAM_URL`. A key without it fills nothing. */
function withUpstream(
  settings: readonly Setting[],
): Pick<EnvironmentSettings, 'settings' | 'loneUpstreamKey'> {
  const url = settings.find(({ source }) => source === 'UPSTREAM_URL');
  if (url) {
    const place = url.path.slice(0, -1);
    const name = { path: [...place, 'name'], value: 'default', source: url.source };
    const discover = { path: [...place, 'discover'], value: true, source: url.source };
    return { settings: [...settings, name, discover], loneUpstreamKey: undefined };
  }
  const key = settings.find(({ path }) => path[0] === 'upstreams');
  return { settings: settings.filter((setting) => setting !== key), loneUpstreamKey: key?.source };
}

export type Found =
  | { ok: true; value: string; source: string }
  | { ok: false; problem: string; remedy: string; source: string };

function readPlain(env: Environment, name: string): Found | undefined {
  const value = env[name];
  return value ? { ok: true, value, source: name } : undefined;
}

/** The variable, or the text of the file that `<name>_FILE` names, without its last line end. */
export function readSecret(env: Environment, name: string, readFile: ReadFile): Found | undefined {
  const source = `${name}_FILE`;
  const file = env[source];
  if (!file) return readPlain(env, name);
  if (env[name]) {
    return { ok: false, source, problem: `${name} is set as well`, remedy: 'keep one of the two' };
  }
  try {
    const value = readFile(file).replace(/[\r\n]+$/, '');
    if (value !== '') return { ok: true, value, source };
    return { ok: false, source, problem: 'the file is empty', remedy: 'put the secret into it' };
  } catch (error) {
    return {
      ok: false,
      source,
      problem: `the file cannot be read (${reasonOf(error)})`,
      remedy: 'check path and rights',
    };
  }
}

/** The system's error code alone: its message repeats the path. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}

/** Only near misses: an orchestrator may set any number of SLUICE_… variables of its own. */
function misspelt(env: Environment): Fault[] {
  const known = new Set([configVariable, 'SLUICE_ADMIN_URL']);
  for (const { name, secret: mayBeFile } of variables) known.add(name).add(mayBeFile ? `${name}_FILE` : name);
  return Object.keys(env)
    .filter((name) => name.startsWith('SLUICE_') && !known.has(name))
    .flatMap((name) => {
      const meant = nearest(name, known);
      if (!meant) return [];
      return [
        {
          source: name,
          path: '',
          problem: 'is no variable of the gateway',
          remedy: `did you mean ${meant}?`,
        },
      ];
    });
}
