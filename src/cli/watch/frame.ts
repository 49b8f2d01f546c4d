/** The screen of `top`: figures as lines, as many and as long as there is room for. */
import { stripVTControlCharacters } from 'node:util';
import { type Column, colored, cut, plain, type Terminal, tableLines, widthOf } from '../terminal.ts';
import { ageText, amountText, secondsText } from './amounts.ts';
import type { Figures, Latency, TenantFigures, UpstreamFigures } from './figures.ts';
import type { QueueState } from './queue.ts';

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

export interface FrameFacts {
  readonly figures: Figures;
  /** Requests a second, of the rounds before and this one. */
  readonly history: readonly number[];
  /** That the rates are of. */
  readonly seconds: number;
  /** HH:MM:SS */
  readonly time: string;
}

const NAME_WIDTH = 11;
const HISTORY_WIDTH = 30;
const bars = '▁▂▃▄▅▆▇█';

export function frameOf(terminal: Terminal, facts: FrameFacts, { columns, rows }: FrameSize): string[] {
  const { figures } = facts;
  const lines = [...headOf(terminal, facts, columns), '', ...summaryOf(terminal, facts), ''];
  const upstreams = tableLines(terminal, figures.upstreams, upstreamColumns);
  const tenants = tableLines(terminal, figures.tenants, tenantColumns);
  // Both get half of what is left, and what the other one does not need.
  const left = Math.max(4, rows - lines.length - 1);
  const half = Math.floor(left / 2);
  const forUpstreams = Math.max(half, left - tenants.length);
  const shownUpstreams = shortened(upstreams, forUpstreams);
  lines.push(...shownUpstreams, '', ...shortened(tenants, left - shownUpstreams.length));
  return lines.slice(0, rows).map((line) => cut(line, columns));
}

function headOf(terminal: Terminal, { figures, seconds, time }: FrameFacts, columns: number): string[] {
  const { processes, silent, gatewaysAlive } = figures;
  const count = (role: string) => processes.filter((one) => one.role === role).length;
  const gateways = count('gateway');
  const of = gatewaysAlive !== null && gatewaysAlive > gateways ? ` of ${gatewaysAlive}` : '';
  const parts = [
    `sluice  ${gateways}${of} ${gateways === 1 && of === '' ? 'gateway' : 'gateways'}, ${counted(count('worker'), 'worker')}`,
    `Redis ${stateOf(terminal, figures, 'redis')}, of jobs ${stateOf(terminal, figures, 'queueRedis')}`,
  ];
  const left = parts.join('   ');
  const right = `last ${amountText(Math.round(seconds))} s  ${time}`;
  const width = widthOf(stripVTControlCharacters(left));
  const head = left + ' '.repeat(Math.max(2, columns - width - right.length)) + right;
  const gone = silent
    .slice(0, 2)
    .map(({ url, problem }) => colored(terminal, 'red', plain(`${url} ${problem}`)));
  if (silent.length > 2) gone.push(colored(terminal, 'red', `… and ${silent.length - 2} more do not answer`));
  return [head, ...gone];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The worst that anybody says. */
function stateOf(terminal: Terminal, { processes }: Figures, store: 'redis' | 'queueRedis'): string {
  const ill = processes.find((one) => one[store] !== 'ok');
  if (processes.length === 0) return colored(terminal, 'red', 'unknown');
  return ill ? colored(terminal, 'red', plain(ill[store])) : colored(terminal, 'green', 'ok');
}

function summaryOf(terminal: Terminal, { figures, history }: FrameFacts): string[] {
  const { errorsPerSecond: errors, tokensPerSecond: tokens } = figures;
  const ours = errors.us + errors.upstream > 0 ? 'red' : undefined;
  const blamed = `${amountText(errors.upstream)} servers, ${amountText(errors.us)} gateway`;
  const waiting = colored(terminal, figures.waiting > 0 ? 'yellow' : undefined, amountText(figures.waiting));
  return [
    line('requests', `${amountText(figures.requestsPerSecond)}/s`.padEnd(10) + sparkline(history)),
    line(
      'in flight',
      `${amountText(figures.inFlight)}, ${amountText(figures.streams)} streams, ${waiting} wait for a server`,
    ),
    line(
      'errors/s',
      `${amountText(errors.client)} callers, ${amountText(errors.limit)} limits, ${colored(terminal, ours, blamed)}`,
    ),
    line(
      'tokens/s',
      `${amountText(tokens.input)} in (${amountText(tokens.cached)} cached), ${amountText(tokens.output)} out` +
        `   $${amountText(figures.usdPerHour)}/h`,
    ),
    line('duration', latencyText(figures.duration)),
    line('first token', latencyText(figures.firstToken)),
    line('gateway', latencyText(figures.overhead)),
    line('jobs', queueText(terminal, figures.queue, figures.jobsRunning)),
  ];
}

function line(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}  ${text}`;
}

function latencyText({ p50, p95, p99 }: Latency): string {
  return `p50 ${secondsText(p50).padEnd(9)}p95 ${secondsText(p95).padEnd(9)}p99 ${secondsText(p99)}`;
}

function queueText(terminal: Terminal, queue: QueueState | null, running: number): string {
  if (queue === null) return `${running} running; nobody says what waits`;
  const { waiting, oldestSeconds, handed, drained } = queue;
  const oldest = oldestSeconds === null ? '' : `, the oldest for ${ageText(oldestSeconds)}`;
  const stopped = drained ? `   ${colored(terminal, 'yellow', 'stopped by an operator')}` : '';
  return `${amountText(waiting)} waiting${oldest}, ${amountText(handed)} in hand, ${amountText(running)} running${stopped}`;
}

/** Of its highest value. */
function sparkline(history: readonly number[]): string {
  const shown = history.filter((value) => !Number.isNaN(value)).slice(-HISTORY_WIDTH);
  const highest = Math.max(...shown, 0);
  if (highest === 0) return '';
  const levels = shown.map((value) => bars[Math.round((value / highest) * (bars.length - 1))]);
  return `${levels.join('')}  at most ${amountText(highest)}`;
}

/** @param room lines, of which the heading is one */
function shortened(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines;
  const kept = lines.slice(0, Math.max(1, room - 1));
  return [...kept, `… and ${lines.length - kept.length} more`];
}

const colorOfState = (state: string) =>
  state === 'up' ? 'green' : state === 'trial' || state === 'draining' ? 'yellow' : 'red';

const upstreamColumns: readonly Column<UpstreamFigures>[] = [
  { title: 'UPSTREAM', text: ({ name }) => name },
  { title: 'STATE', text: ({ state }) => state, color: ({ state }) => colorOfState(state) },
  {
    title: 'IN FLIGHT',
    text: ({ inFlight, places }) => (places === null ? String(inFlight) : `${inFlight}/${places}`),
    alignRight: true,
  },
  {
    title: 'RUNNING',
    text: ({ running }) => (running === null ? '-' : amountText(running)),
    alignRight: true,
  },
  {
    title: 'WAITING',
    text: ({ waiting }) => (waiting === null ? '-' : amountText(waiting)),
    alignRight: true,
  },
  { title: 'CALLS/S', text: ({ attemptsPerSecond }) => amountText(attemptsPerSecond), alignRight: true },
  {
    title: 'FAILED/S',
    text: ({ failuresPerSecond }) => amountText(failuresPerSecond),
    color: ({ failuresPerSecond }) => (failuresPerSecond > 0 ? 'red' : undefined),
    alignRight: true,
  },
];

const tenantColumns: readonly Column<TenantFigures>[] = [
  { title: 'TENANT', text: ({ name }) => name },
  { title: 'REQUESTS/S', text: (one) => amountText(one.requestsPerSecond), alignRight: true },
  {
    title: 'FAILED/S',
    text: (one) => amountText(one.failuresPerSecond),
    color: (one) => (one.failuresPerSecond > 0 ? 'yellow' : undefined),
    alignRight: true,
  },
  { title: 'LIMITED/S', text: (one) => amountText(one.limitedPerSecond), alignRight: true },
  { title: 'TOKENS/S', text: (one) => amountText(one.tokensPerSecond), alignRight: true },
  { title: 'USD/H', text: (one) => amountText(one.usdPerHour), alignRight: true },
];
