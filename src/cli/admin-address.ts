import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from './failure.ts';

export interface AdminAddress {
  readonly url: string;
  readonly token: string | undefined;
  /** Admin listeners of the other gateways and of the workers that `npm start` runs beside it. */
  readonly others: readonly string[];
}

const DEFAULT_URL = 'http://127.0.0.1:8081';
/** `npm start` keeps its things in it, in the folder where it runs. */
const DEFAULT_HOME = '.sluice';

/** Where the admin API is and what opens it: from the environment, else from what `npm start` left. */
export function findAdmin(env: NodeJS.ProcessEnv): AdminAddress {
  const left = readLeft(join(env.SLUICE_HOME || DEFAULT_HOME, 'admin.json'));
  const url = trimmed(env.SLUICE_ADMIN_URL);
  const token = tokenFrom(env);
  if (url !== undefined && !/^https?:\/\/[^\s@]+$/.test(url)) {
    throw new CommandFailure(
      'SLUICE_ADMIN_URL is not an http:// or https:// address without credentials.',
      2,
    );
  }
  // The token in the file opens the gateway that wrote it; it is not shown to any other.
  const known = url === undefined || url === left?.url ? left : undefined;
  return {
    url: (url ?? left?.url ?? DEFAULT_URL).replace(/\/+$/, ''),
    token: token ?? known?.token,
    others: known?.others ?? [],
  };
}

function tokenFrom(env: NodeJS.ProcessEnv): string | undefined {
  const token = trimmed(env.SLUICE_ADMIN_TOKEN);
  const file = trimmed(env.SLUICE_ADMIN_TOKEN_FILE);
  if (file === undefined) return token;
  if (token !== undefined) {
    throw new CommandFailure(
      'SLUICE_ADMIN_TOKEN and SLUICE_ADMIN_TOKEN_FILE are both set. Unset one of them.',
      2,
    );
  }
  try {
    return trimmed(readFileSync(file, 'utf8'));
  } catch {
    throw new CommandFailure(`cannot read ${file}, which SLUICE_ADMIN_TOKEN_FILE names.`);
  }
}

function readLeft(path: string): { url: string; token: string; others: string[] } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const { url, token, others = [] } = JSON.parse(text);
    const isWhole = typeof url === 'string' && typeof token === 'string' && Array.isArray(others);
    if (isWhole) return { url, token, others: others.filter((one) => typeof one === 'string') };
  } catch {
    // Said below, as for any other content that does not fit.
  }
  throw new CommandFailure(`${path} is damaged. Delete it; npm start writes it anew.`);
}

function trimmed(text: string | undefined): string | undefined {
  return text?.trim() || undefined;
}
