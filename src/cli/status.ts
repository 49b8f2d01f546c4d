/** `status`: how the cluster is, on one screen, and whether anything is wrong. */
import type { Command } from 'commander';
import { type AtOptions, atOption } from './process-option.ts';
import type { Session } from './session.ts';
import {
  type Column,
  printFields,
  printJson,
  printLine,
  printNote,
  printTable,
  type Terminal,
} from './terminal.ts';
import { ageText, megabytesText } from './watch/amounts.ts';
import {
  gatewaysAlive,
  type ProcessState,
  processStates,
  type UpstreamState,
  upstreamStates,
} from './watch/cluster-state.ts';
import { certificateEnd, healthOf, installationState } from './watch/health.ts';
import { askAll, findProcesses, type Round } from './watch/processes.ts';
import { type QueueState, readQueue } from './watch/queue.ts';
import { wireOf } from './watch/wire.ts';

interface StatusOptions extends AtOptions {
  json?: boolean;
}

/** Something is wrong with the cluster, and not with the command. */
const EXIT_WRONG = 3;

export function statusCommand(program: Command, session: Session, end: (exitCode: number) => void): void {
  program
    .command('status')
    .description('how gateways, workers, Redis, GPU servers and jobs are; exit 3 when something is wrong')
    .addOption(atOption())
    .option('--json', 'print JSON')
    .action(async (options: StatusOptions) => end(await status(session, options)));
}

/** @returns the exit code */
async function status({ admin, terminal }: Session, { at, json }: StatusOptions): Promise<number> {
  const round = await askAll(await findProcesses(at, terminal.env));
  const queue = await readQueue(admin, round);
  const nowMs = Date.now();
  const { problems, notes } = healthOf(round, queue, nowMs);
  const report = reportOf(round, queue, nowMs);
  const isWell = problems.length === 0;
  if (json) {
    printJson(terminal, wireOf({ status: isWell ? 'ok' : 'wrong', problems, notes, ...report }));
  } else {
    if (report.processes.length > 0) printScreen(terminal, report);
    for (const note of notes) printNote(terminal, `note: ${note}`);
    for (const problem of problems) printNote(terminal, `wrong: ${problem}`);
    if (isWell) printLine(terminal, 'Nothing is wrong.');
  }
  return isWell ? 0 : EXIT_WRONG;
}

type Report = ReturnType<typeof reportOf>;

/** @param nowMs wall clock */
function reportOf(round: Round, queue: QueueState | undefined, nowMs: number) {
  const processes = processStates(round, nowMs);
  const end = certificateEnd(round);
  return {
    redis: worstOf(processes.map((one) => one.redis)),
    queueRedis: worstOf(processes.map((one) => one.queueRedis)),
    installation: installationState(round),
    certificateEndsAt: end === null ? null : new Date(end * 1_000).toISOString(),
    gatewaysAlive: gatewaysAlive(round),
    processes,
    silent: round.silent,
    upstreams: upstreamStates(round),
    queue: queue ?? null,
  };
}

/** Null: nobody has said. */
function worstOf(states: readonly string[]): string | null {
  return states.find((state) => state !== 'ok') ?? states[0] ?? null;
}

const dataText = { known: 'those of this cluster', lost: 'not those of this cluster' } as const;

function printScreen(terminal: Terminal, report: Report): void {
  const { processes, upstreams, installation } = report;
  printTable(terminal, processes, processColumns);
  printLine(terminal, '');
  printFields(terminal, {
    redis: report.redis ?? 'unknown',
    'redis of jobs': report.queueRedis ?? 'unknown',
    data: installation === null ? 'unknown' : dataText[installation],
    'gateways alive': report.gatewaysAlive === null ? 'unknown' : String(report.gatewaysAlive),
    jobs: queueText(report.queue),
    certificate: report.certificateEndsAt === null ? 'none' : `until ${report.certificateEndsAt}`,
  });
  if (upstreams.length > 0) {
    printLine(terminal, '');
    printTable(terminal, upstreams, upstreamColumns);
  }
  printLine(terminal, '');
}

function queueText(queue: QueueState | null): string {
  if (!queue) return 'unknown';
  const { waiting, handed, oldestSeconds, drained } = queue;
  const oldest = oldestSeconds === null ? '' : `, the oldest for ${ageText(oldestSeconds)}`;
  return `${waiting} waiting${oldest}, ${handed} in hand${drained ? ', stopped by an operator' : ''}`;
}

const orDash = (value: number | null, text: (value: number) => string = String) =>
  value === null ? '-' : text(value);

const processColumns: readonly Column<ProcessState>[] = [
  { title: 'PROCESS', text: ({ role }) => role },
  { title: 'STATE', text: ({ state }) => state, color: ({ state }) => (state === 'ok' ? 'green' : 'red') },
  { title: 'RELEASE', text: ({ release }) => release ?? '-' },
  { title: 'UP', text: ({ upSeconds }) => orDash(upSeconds, ageText), alignRight: true },
  { title: 'MEMORY', text: ({ memoryBytes }) => orDash(memoryBytes, megabytesText), alignRight: true },
  { title: 'IN FLIGHT', text: ({ inFlight }) => orDash(inFlight), alignRight: true },
  { title: 'ADMIN LISTENER', text: ({ url }) => url },
];

const upstreamColumns: readonly Column<UpstreamState>[] = [
  { title: 'UPSTREAM', text: ({ name }) => name },
  {
    title: 'STATE',
    text: ({ state }) => state,
    color: ({ state }) =>
      state === 'up' ? 'green' : state === 'down' || state === 'ejected' ? 'red' : 'yellow',
  },
  {
    title: 'IN FLIGHT',
    text: ({ inFlight, places }) => (places === null ? String(inFlight) : `${inFlight}/${places}`),
    alignRight: true,
  },
  { title: 'RUNNING', text: ({ running }) => orDash(running), alignRight: true },
  { title: 'WAITING', text: ({ waiting }) => orDash(waiting), alignRight: true },
];
