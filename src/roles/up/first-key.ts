/** The key for a newcomer's first call: made once through the admin API, kept in the folder, used again later. */
import { type Home, readText, writePrivately } from './home.ts';

const CALL_TIMEOUT_MS = 5_000;

export interface Addresses {
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly adminToken: string;
}

export type FirstKey =
  | { readonly ok: true; readonly key: string }
  | { readonly ok: false; readonly problem: string };

export async function firstKey(home: Home, addresses: Addresses): Promise<FirstKey> {
  const kept = readText(home.keyFile);
  if (kept && !(await isRefused(kept, addresses))) return { ok: true, key: kept };

  const created = await call(`${addresses.adminUrl}/admin/v1/keys`, addresses.adminToken, {
    tenant: 'default',
    name: 'first key',
  });
  const key = field(created.body, 'key');
  if (created.status !== 201 || typeof key !== 'string') {
    return { ok: false, problem: created.status === 0 ? 'no answer' : `status ${created.status}` };
  }
  writePrivately(home.keyFile, `${key}\n`);
  return { ok: true, key };
}

/** Only a clear no counts: while the store is away nobody knows. */
async function isRefused(key: string, { publicUrl }: Addresses): Promise<boolean> {
  const { status } = await call(`${publicUrl}/v1/models`, key);
  return status === 401 || status === 403;
}

/** Status 0: no answer in time. */
export async function call(
  url: string,
  token: string,
  body?: object,
): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return { status: response.status, body: await response.json() };
  } catch {
    return { status: 0, body: undefined };
  }
}

export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
