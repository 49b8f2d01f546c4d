/**
 * Where Redis is:
 *
 *     redis://[[user]:password@]host[:port][/database]                                  one server
 *     redis+sentinel://[[user]:password@]host[:port],…/name of the primary[?db=number]  found by Sentinels
 *     redis+cluster://[[user]:password@]host[:port],…                                   some nodes of a Cluster
 *
 * and the same with `rediss` for TLS. User and password are those of the servers that hold the data.
 */

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  /** One for a single server; at least one otherwise: Sentinels, or nodes of the Cluster. */
  readonly hosts: readonly [RedisHost, ...RedisHost[]];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** What the Sentinels call the primary; empty otherwise. */
  readonly primaryName: string;
}

export type ParsedAddress =
  | { readonly ok: true; readonly address: RedisAddress }
  /** `must …; remedy`. Repeats nothing of the text, which may hold a password. */
  | { readonly ok: false; readonly fault: string };

const HOSTS_MAX = 64;
const portOf = { single: 6379, sentinel: 26379, cluster: 6379 } as const;
const pattern =
  /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/** Never throws. */
export function parseRedisAddress(text: string): ParsedAddress {
  if (!/^rediss?(\+sentinel|\+cluster)?:\/\/./.test(text)) {
    return refuse(
      'must be a Redis address; begin it with redis://, rediss://, redis+sentinel:// or redis+cluster://',
    );
  }
  const [, scheme, form, login = '', places = '', path = '', query = ''] = pattern.exec(text) ?? [];
  if (scheme === undefined) {
    return refuse('must be a valid address; write @ : / ? # and % in a password as %40 %3A %2F %3F %23 %25');
  }
  const kind = form === 'sentinel' || form === 'cluster' ? form : 'single';
  const credentials = readLogin(login);
  if (!credentials) return refuse('must have a readable user and password; write % in them as %25');
  const hosts = readHosts(places, portOf[kind]);
  if (!hosts) return refuse('must name each server as host:port; separate several by commas, without spaces');
  if (kind === 'single' && hosts.length > 1) {
    return refuse('must name one server; for several begin it with redis+sentinel:// or redis+cluster://');
  }
  const place = readPlace(kind, path, query);
  if (typeof place === 'string') return refuse(place);
  return { ok: true, address: { kind, tls: scheme === 'rediss', hosts, ...credentials, ...place } };
}

function refuse(fault: string): ParsedAddress {
  return { ok: false, fault };
}

function readLogin(login: string): Pick<RedisAddress, 'username' | 'password'> | undefined {
  const colon = login.indexOf(':');
  const user = decoded(colon === -1 ? login : login.slice(0, colon));
  const password = decoded(colon === -1 ? '' : login.slice(colon + 1));
  if (user === undefined || password === undefined) return undefined;
  return { username: user || undefined, password: password || undefined };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function readHosts(places: string, standardPort: number): RedisAddress['hosts'] | undefined {
  const hosts: RedisHost[] = [];
  for (const place of places.split(',')) {
    const [, bracketed, plain, port] =
      /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(place) ?? [];
    const host = bracketed ?? plain;
    const number = port === undefined ? standardPort : Number(port);
    if (host === undefined || number < 1 || number > 65_535) return undefined;
    hosts.push({ host, port: number });
  }
  const [first, ...more] = hosts;
  return first && hosts.length <= HOSTS_MAX ? [first, ...more] : undefined;
}

type Place = Pick<RedisAddress, 'database' | 'primaryName'>;

function readPlace(kind: RedisAddress['kind'], path: string, query: string): Place | string {
  if (kind === 'cluster') {
    if (path === '' && query === '') return { database: 0, primaryName: '' };
    return 'must end with the hosts; a Cluster has no databases';
  }
  if (kind === 'single') {
    if (query !== '') return 'must hold no ?; write the database as /0 behind the host';
    if (!/^\d{0,5}$/.test(path)) return 'must have a number as database; write it as /0, or leave it out';
    return { database: Number(path), primaryName: '' };
  }
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(path)) {
    return 'must name the primary as the Sentinels do; write it behind the hosts, as /mymaster';
  }
  const [, database = '0'] = /^db=(\d{1,5})$/.exec(query) ?? [];
  if (query !== '' && query !== `db=${database}`)
    return 'must hold nothing behind ? but the database; write ?db=0';
  return { database: Number(database), primaryName: path };
}
