/** What a simulator is told when it starts. Everything that changes while it runs is a fault (faults.ts). */

export interface SimulatorOptions {
  /** Names that it serves; the first one labels its metrics. Default: one, `simulator`. */
  readonly models?: readonly string[];
  /** Tokens of prompt and answer together. */
  readonly contextLength?: number;
  /** Milliseconds from the whole request to the first token. */
  readonly firstTokenMs?: number;
  /** Milliseconds from one token to the next; 0 sends an answer at once. */
  readonly tokenMs?: number;
  /** Length of an answer that nothing else limits. */
  readonly tokens?: number;
  /** Bearer key that /v1 wants; none: open. */
  readonly apiKey?: string | undefined;
  /** Calls that run at once; the rest wait in order. Default: no bound. */
  readonly runningMax?: number;
  /** Idle connections are closed after this time; uvicorn's habit is 5,000. */
  readonly keepAliveTimeoutMs?: number;
}

export type Settings = Omit<Required<SimulatorOptions>, 'models' | 'apiKey'> & {
  readonly models: readonly [string, ...string[]];
  readonly apiKey: string | undefined;
};

export function settingsOf(options: SimulatorOptions): Settings {
  const [first = 'simulator', ...others] = options.models ?? [];
  return {
    models: [first, ...others],
    contextLength: options.contextLength ?? 32_768,
    firstTokenMs: options.firstTokenMs ?? 0,
    tokenMs: options.tokenMs ?? 0,
    tokens: options.tokens ?? 32,
    apiKey: options.apiKey,
    runningMax: options.runningMax ?? Number.POSITIVE_INFINITY,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 5_000,
  };
}
