/** Gateways and workers, asked at their admin listeners what needs no token. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { findAdmin } from '../admin-address.ts';
import { CommandFailure } from '../failure.ts';
import { Samples } from './samples.ts';

/** What `/ready` says of a gateway or a worker. */
export interface Readiness {
  readonly status: string;
  readonly gateway?: string;
  readonly worker?: string;
  readonly redis: string;
  readonly queue: string;
  readonly upstreams: Readonly<Record<string, string>>;
}

/** What a process has said. */
export interface Reading {
  readonly url: string;
  /** When it was asked, monotonic. */
  readonly askedAtMs: number;
  readonly readiness: Readiness;
  readonly samples: Samples;
}

export interface Silence {
  readonly url: string;
  readonly problem: string;
}

export interface Round {
  readonly readings: readonly Reading[];
  readonly silent: readonly Silence[];
}

const ASK_TIMEOUT_MS = 3_000;
const TEXT_LENGTH_MAX = 32_000_000;
const PROCESSES_MAX = 256;

/**
 * Where the processes are: what was named, else what `npm start` runs, else the gateway of SLUICE_ADMIN_URL. A host
 * that has several addresses, as a headless service of Kubernetes, stands for all of them.
 */
export async function findProcesses(named: readonly string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  const urls = named.length > 0 ? named.map(addressOf) : leftOrSet(env);
  const found = (await Promise.all(urls.map(addressesBehind))).flat();
  return [...new Set(found)].slice(0, PROCESSES_MAX);
}

/** All at once; takes no longer than the slowest may. */
export async function askAll(urls: readonly string[]): Promise<Round> {
  const asked = await Promise.all(urls.map(ask));
  return {
    readings: asked.filter((one) => 'samples' in one),
    silent: asked.filter((one) => 'problem' in one),
  };
}

function leftOrSet(env: NodeJS.ProcessEnv): string[] {
  const { url, others } = findAdmin(env);
  return [url, ...others];
}

function addressOf(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`;
  if (/^https?:\/\/[^\s@/]+\/?$/.test(url) && URL.canParse(url)) return url.replace(/\/$/, '');
  throw new CommandFailure(
    '--at takes the address of an admin listener, such as http://10.0.0.7:8081, without credentials.',
    2,
  );
}

/** A certificate is for a name, so https keeps it. */
async function addressesBehind(url: string): Promise<string[]> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol === 'https:' || isIP(hostname.replace(/^\[|\]$/g, ''))) return [url];
  // Whoever cannot be found is reported by the request to it.
  const found = await lookup(hostname, { all: true }).catch(() => []);
  const ofOneKind = found.filter(({ family }) => family === found[0]?.family);
  if (ofOneKind.length < 2) return [url];
  return ofOneKind.map(({ address, family }) => {
    return `http://${family === 6 ? `[${address}]` : address}${port && `:${port}`}`;
  });
}

async function ask(url: string): Promise<Reading | Silence> {
  const askedAtMs = performance.now();
  try {
    const [ready, metrics] = await Promise.all([get(`${url}/ready`), get(`${url}/metrics`)]);
    const readiness = readReadiness(ready.text);
    if (readiness === undefined || metrics.status !== 200) {
      return { url, problem: 'what answers there is no admin listener' };
    }
    return { url, askedAtMs, readiness, samples: new Samples(metrics.text) };
  } catch (error) {
    return { url, problem: problemOf(error) };
  }
}

async function get(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const response = await fetch(url, { redirect: 'error', signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > TEXT_LENGTH_MAX) throw new Error('its answer does not end');
  }
  return { status: response.status, text };
}

function readReadiness(text: string): Readiness | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null || !('redis' in said)) return undefined;
  // An earlier release says nothing of the queue.
  return { status: 'unknown', queue: 'ok', upstreams: {}, ...said } as Readiness;
}

function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return 'does not answer';
  if (error.name === 'TimeoutError') return `does not answer within ${ASK_TIMEOUT_MS / 1_000} s`;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause && cause.code ? ` (${String(cause.code)})` : '';
  return `cannot be reached${code}`;
}
