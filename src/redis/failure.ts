/** Turns what ioredis throws into one of ours. The only place that reads its errors. */

export interface StoreFailure {
  readonly kind: 'unavailable';
  /** For the log; holds no arguments of the command. */
  readonly cause: string;
}

/** What the server says when it cannot do its work now, or not for us; anything else it says is our mistake. */
const unavailableReplies =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF|MOVED|ASK|NOREPLICAS|NOAUTH|NOPERM|WRONGPASS|ERR max number of clients)/;

const unavailableErrors =
  /^(Command timed out|Connection is closed|Stream isn't writeable|Socket timeout|Cluster isn't ready|Cluster is ended|None of startup nodes|Failed to refresh slots cache|Too many Cluster redirections|All sentinels are unreachable|READONLY )/;

/** Undefined for a mistake of ours (wrong type, script error, a bug), which the caller has to throw on. */
export function storeFailure(error: unknown): StoreFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const unavailable =
    error.name === 'ReplyError'
      ? unavailableReplies.test(error.message)
      : error.name === 'MaxRetriesPerRequestError' ||
        error.name === 'AbortError' ||
        'syscall' in error ||
        unavailableErrors.test(error.message);
  return unavailable ? { kind: 'unavailable', cause: error.message } : undefined;
}
