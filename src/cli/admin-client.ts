import type { AdminAddress } from './admin-address.ts';
import { CommandFailure } from './failure.ts';

const CALL_TIMEOUT_MS = 10_000;

const AUDIT_LATE =
  'The change was made, but is not in the audit trail yet: the gateway writes it there when Redis answers.';

interface Sent {
  /** Sent as JSON. */
  readonly json?: object;
  /** Sent as it is, with its type. */
  readonly text?: { readonly body: string; readonly type: string };
}

/** The admin API over HTTP. Whatever goes wrong becomes a CommandFailure with a remedy. */
export class AdminClient {
  readonly #address: AdminAddress;
  readonly #warn: (warning: string) => void;

  constructor(address: AdminAddress, warn: (warning: string) => void) {
    this.#address = address;
    this.#warn = warn;
  }

  /** `path` from /admin/v1 on. The answer has the shape that the caller knows it to have. */
  async call<Answer>(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    const { url, token } = this.#address;
    if (token === undefined) {
      throw new CommandFailure(
        'no admin token. Set SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE, or run this where npm start runs.',
      );
    }
    const { status, body } = await this.#fetch(method, `/admin/v1${path}`, sent, token);
    if (status < 300) return body as Answer;
    const message = errorMessage(body);
    if (message === undefined) throw this.#notAdmin(status);
    if (status === 401) {
      throw new CommandFailure(
        `the admin API at ${url} refuses the token. Set SLUICE_ADMIN_TOKEN to the gateway's, or to an admin key.`,
      );
    }
    throw new CommandFailure(message);
  }

  /** All things of a list, page after page. */
  async list<Item>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Item[]> {
    const items: Item[] = [];
    const parameters = new URLSearchParams({ ...query, limit: '1000' });
    for (;;) {
      const page = await this.call<{ data: Item[]; next_cursor?: string | null }>(
        'GET',
        `${path}?${parameters}`,
      );
      for (const item of page.data) items.push(item);
      if (!page.next_cursor) return items;
      parameters.set('cursor', page.next_cursor);
    }
  }

  /** The readiness probe, which needs no token and answers 503 with a body of the same shape. */
  async readiness<Answer>(): Promise<Answer> {
    const { status, body } = await this.#fetch('GET', '/ready', {}, undefined);
    if ((status === 200 || status === 503) && errorMessage(body) === undefined) return body as Answer;
    throw this.#notAdmin(status);
  }

  async #fetch(method: string, path: string, { json, text }: Sent, token: string | undefined) {
    const headers = new Headers({ accept: 'application/json' });
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    if (json) headers.set('content-type', 'application/json');
    if (text) headers.set('content-type', text.type);
    let status = 0;
    let answer: string;
    try {
      const response = await fetch(this.#address.url + path, {
        method,
        headers,
        body: json ? JSON.stringify(json) : (text?.body ?? null),
        redirect: 'error',
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      status = response.status;
      if (response.headers.has('x-sluice-audit')) this.#warn(AUDIT_LATE);
      answer = await response.text();
    } catch (error) {
      throw this.#unreachable(error);
    }
    try {
      const body: unknown = JSON.parse(answer);
      return { status, body };
    } catch {
      throw this.#notAdmin(status);
    }
  }

  #unreachable(error: unknown): CommandFailure {
    const { url } = this.#address;
    if (error instanceof Error && error.name === 'TimeoutError') {
      return new CommandFailure(
        `the admin API at ${url} did not answer within ${CALL_TIMEOUT_MS / 1_000} s.`,
      );
    }
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
    const code = cause && 'code' in cause && cause.code ? ` (${String(cause.code)})` : '';
    return new CommandFailure(
      `cannot reach the admin API at ${url}${code}. Is the gateway running? Set SLUICE_ADMIN_URL.`,
    );
  }

  #notAdmin(status: number): CommandFailure {
    return new CommandFailure(
      `what answers at ${this.#address.url} (status ${status}) is not an admin API. Set SLUICE_ADMIN_URL to a gateway's admin listener.`,
    );
  }
}

function errorMessage(body: unknown): string | undefined {
  const message = field(field(body, 'error'), 'message');
  return typeof message === 'string' ? message : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
