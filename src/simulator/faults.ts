/**
 * What can go wrong, on demand. A fault describes one answer; a rule says which calls it befalls; a switch
 * changes the whole server until it is turned back. They come through `POST /sim/faults`, through the state
 * object in the same process, and, for one call, through headers (`x-sim-first-token-ms: 50`).
 */
import { type Fields, isFields } from './json.ts';

export interface Fault {
  readonly first_token_ms?: number;
  readonly token_ms?: number;
  /** Length of an answer that its request does not limit further. */
  readonly tokens?: number;
  /** Says this instead of the usual words. */
  readonly text?: string;
  /** Answers with this status; `error_body` says what stands in it (default `vllm`). */
  readonly status?: number;
  readonly error_body?: 'vllm' | 'html' | 'empty';
  /**
   * Breaks the answer off: says nothing more (`hang`), resets the connection (`reset`), ends the answer in order
   * but too early (`end`), or sends FIN inside it and goes on listening (`half_close`). Without
   * `cut_after_tokens` it comes before the headers; with 0 directly behind them. In an answer that is no stream
   * a token is four bytes of the body.
   */
  readonly cut?: 'hang' | 'reset' | 'end' | 'half_close';
  readonly cut_after_tokens?: number;
  /** Announces `Connection: close` and closes. */
  readonly connection_close?: boolean;
  /** Closes the connection, unannounced, when it has been idle for so long after this answer. */
  readonly idle_close_ms?: number;
  /** Every byte of the answer travels alone. The connection closes afterwards. */
  readonly one_byte?: boolean;
  /** Pause before each header line. The connection closes afterwards. */
  readonly slow_headers_ms?: number;
  /** Makes the answer longer by so many bytes, without building it in memory. */
  readonly answer_bytes?: number;
  /** A body that stops in the middle of its JSON, with a matching length. */
  readonly invalid_json?: boolean;
}

export interface FaultRule extends Fault {
  /** Befalls so many calls; default: all that follow. */
  readonly calls?: number;
  /** Befalls calls whose prompt holds this. */
  readonly prompt?: string;
}

export interface Switches {
  /** Connections are accepted and nothing is answered, health included; thawed, all waiting answers come. */
  freeze?: boolean;
  /** `/health` answers 503. */
  unhealthy?: boolean;
  /** `/metrics` is not there. */
  no_metrics?: boolean;
}

type Kind = 'number' | 'boolean' | 'string' | readonly string[];

const faultFields: { readonly [Name in keyof Required<Fault>]: Kind } = {
  first_token_ms: 'number',
  token_ms: 'number',
  tokens: 'number',
  text: 'string',
  status: 'number',
  error_body: ['vllm', 'html', 'empty'],
  cut: ['hang', 'reset', 'end', 'half_close'],
  cut_after_tokens: 'number',
  connection_close: 'boolean',
  idle_close_ms: 'number',
  one_byte: 'boolean',
  slow_headers_ms: 'number',
  answer_bytes: 'number',
  invalid_json: 'boolean',
};
const ruleFields = { ...faultFields, calls: 'number', prompt: 'string' } as const;
const switchFields = { freeze: 'boolean', unhealthy: 'boolean', no_metrics: 'boolean' } as const;

export type Command = { readonly rule: FaultRule } | { readonly switches: Switches };
export type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

/** Reads one object of `POST /sim/faults`: a rule, or switches; never both. */
export function parseCommand(value: unknown): Parsed<Command> {
  if (!isFields(value)) return { problem: 'a fault is a JSON object' };
  const isSwitch = Object.keys(value).some((name) => name in switchFields);
  const problem = problemOf(value, isSwitch ? switchFields : ruleFields);
  if (problem) return { problem };
  return { value: isSwitch ? { switches: value } : { rule: value } };
}

function problemOf(fields: Fields, known: Readonly<Record<string, Kind>>): string | undefined {
  for (const [name, value] of Object.entries(fields)) {
    const kind = known[name];
    if (kind === undefined) return `unknown field \`${name}\`; known: ${Object.keys(known).join(', ')}`;
    if (!fits(value, kind))
      return `\`${name}\` must be ${typeof kind === 'string' ? kind : kind.join(' or ')}`;
  }
  return undefined;
}

function fits(value: unknown, kind: Kind): boolean {
  if (typeof kind !== 'string') return kind.some((choice) => choice === value);
  return kind === 'number' ? typeof value === 'number' && value >= 0 : typeof value === kind;
}

const headerPrefix = 'x-sim-';

/** The fault that a call's own headers ask for; undefined where there is none. `headers` alternates name, value. */
export function parseHeaders(headers: readonly string[]): Parsed<Fault> | undefined {
  let fields: Record<string, unknown> | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (name.length <= headerPrefix.length || name[1] !== '-') continue;
    if (name.slice(0, headerPrefix.length).toLowerCase() !== headerPrefix) continue;
    const field = name.slice(headerPrefix.length).toLowerCase().replaceAll('-', '_');
    fields ??= {};
    fields[field] = headerValue(headers[index + 1] ?? '', field);
  }
  if (!fields) return undefined;
  const problem = problemOf(fields, faultFields);
  return problem ? { problem } : { value: fields };
}

function headerValue(text: string, field: string): unknown {
  const kind: Kind | undefined = Object.entries(faultFields).find(([name]) => name === field)?.[1];
  if (kind === 'number') return Number(text);
  return kind === 'boolean' ? text === 'true' : text;
}
