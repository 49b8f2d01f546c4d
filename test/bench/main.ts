/**
 * The hot path against its yardsticks, in one run: the upstream itself, nginx, a bare Fastify and undici proxy, the
 * gateway with everything on. Contestants take turns in short rounds, so that what the machine does meanwhile falls
 * on all of them. Exits with 1 when a bound is missed by more than three times; less is said, not punished.
 *
 *     npm run bench -- [--quick] [--only chat|large|streams|memory|routing|jobs|auth] [--profile]
 */
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bench, startBench } from './bench.ts';
import {
  absence,
  type Contestant,
  type ContestantName,
  labels,
  removeAllFolders,
  type StartOptions,
  startContestant,
} from './contestants.ts';
import type { CostOfAuth } from './cost-of-auth.ts';
import type { CostOfChoice } from './cost-of-choice.ts';
import { measureJobs, QUICK_JOBS, USUAL_JOBS } from './jobs.ts';
import { type Measurement, measurements, type Timing } from './measurements.ts';
import { endAllProcesses, endProcess, FEEDING_CORE, PROXY_CORE, startScript } from './processes.ts';
import { profileSummary } from './profile-summary.ts';
import { type Figures, machineText, tableText, type Verdict, verdicts } from './report.ts';

/** Before the first round, and not counted: V8 takes seconds of load to compile what is hot. */
const WARM_UP: Timing = { warmupMs: 0, durationMs: 4_000 };

interface Rounds {
  readonly count: number;
  readonly timing: Timing;
}

/**
 * Calls take turns often: a host that is slower for some seconds then slows all contestants alike, while a long round
 * would put it on one of them. Streams take long to open, so their rounds are long and few.
 */
type Schedule = Readonly<Record<Measurement['rounds'], Rounds>>;

const LONG: Rounds = { count: 5, timing: { warmupMs: 500, durationMs: 4_000 } };
const USUAL: Schedule = { short: { count: 12, timing: { warmupMs: 300, durationMs: 1_500 } }, long: LONG };
const QUICK_ROUNDS: Rounds = { count: 3, timing: { warmupMs: 300, durationMs: 1_000 } };
const QUICK: Schedule = { short: QUICK_ROUNDS, long: QUICK_ROUNDS };
const ONCE: Schedule = { short: { ...LONG, count: 1 }, long: { ...LONG, count: 1 } };

interface Plan {
  readonly schedule: Schedule;
  readonly measurements: readonly Measurement[];
  readonly contestants: readonly ContestantName[];
  readonly options: StartOptions;
}

const print = (text: string) => process.stdout.write(`${text}\n`);

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, only: { type: 'string' }, profile: { type: 'boolean' } },
  });
  const chosen = measurements.filter(({ topic }) => values.only === undefined || topic === values.only);
  const withJobs = values.only === undefined || values.only === 'jobs';
  const withAuth = values.only === undefined || values.only === 'auth';
  if (chosen.length === 0 && !withJobs && !withAuth) {
    const topics = new Set(measurements.map(({ topic }) => topic));
    print(`--only takes one of ${[...topics, 'jobs', 'auth'].join(', ')}`);
    return 2;
  }
  const profileFolder = values.profile ? mkdtempSync(join(tmpdir(), 'sluice-profile-')) : undefined;
  const bench = await startBench();
  const plan: Plan = {
    schedule: values.profile ? ONCE : values.quick ? QUICK : USUAL,
    measurements: chosen,
    contestants: takingPart(values.profile ? ['direct', 'gateway'] : namesIn(chosen)),
    options: { upstreamPort: bench.upstreamPort, profileFolder },
  };
  print(machineText());
  if (withAuth) await printCostOfAuth();
  let failed = false;
  if (withJobs) {
    const sizes = values.quick ? QUICK_JOBS : USUAL_JOBS;
    failed = await measureJobs({ upstreamPort: bench.upstreamPort, sizes, profileFolder, print });
  }
  if (chosen.length > 0) failed = (await runRounds(bench, plan)) || failed;
  if (profileFolder !== undefined) printProfiles(profileFolder);
  return failed ? 1 : 0;
}

/** @returns whether a bound was missed by more than three times */
async function runRounds(bench: Bench, plan: Plan): Promise<boolean> {
  print(
    `Proxy on core ${PROXY_CORE}; load generator, upstream and Redis on core ${FEEDING_CORE}. Medians; calls: ${roundsText(plan.schedule.short)}, streams: ${roundsText(plan.schedule.long)}.\nAdded latency is less that of the upstream itself, which stands in its own row.\n`,
  );
  const judged = await measureAll(bench, plan);
  if (plan.measurements.some(({ topic }) => topic === 'routing')) await printCostOfChoice();
  for (const { text } of judged) print(text);
  return judged.some(({ failed }) => failed);
}

function namesIn(chosen: readonly Measurement[]): ContestantName[] {
  return [...new Set(chosen.flatMap(({ contestants }) => contestants))];
}

/** Who calls is told before anything else is; nothing of it is compared with the contestants, which let everybody in. */
async function printCostOfAuth(): Promise<void> {
  const { child, ready } = await startScript(PROXY_CORE, 'cost-of-auth.ts');
  await endProcess(child);
  for (const { what, microseconds } of ready as readonly CostOfAuth[]) {
    print(`  ${what}: ${microseconds.toFixed(2)} µs`);
  }
}

async function printCostOfChoice(): Promise<void> {
  const { child, ready } = await startScript(PROXY_CORE, 'cost-of-choice.ts');
  await endProcess(child);
  for (const { what, microseconds } of ready as readonly CostOfChoice[]) {
    print(`  ${what}: ${microseconds.toFixed(2)} µs, measured alone`);
  }
}

function roundsText({ count, timing }: Rounds): string {
  return `${count} rounds of ${timing.durationMs / 1_000} s`;
}

function takingPart(names: readonly ContestantName[]): ContestantName[] {
  return names.filter((name) => {
    const reason = absence(name);
    if (reason !== undefined) print(`Without ${labels[name]}: ${reason}`);
    return reason === undefined;
  });
}

async function measureAll(bench: Bench, plan: Plan): Promise<Verdict[]> {
  const judged: Verdict[] = [];
  const kept = new Map<ContestantName, Contestant>();
  const lasting = plan.measurements.filter(({ freshProcesses }) => !freshProcesses);
  const fresh = plan.measurements.filter(({ freshProcesses }) => freshProcesses);
  for (const [index, measurement] of lasting.entries()) {
    for (const name of takingPartIn(measurement, plan)) {
      if (!kept.has(name)) kept.set(name, await startContestant(name, plan.options));
    }
    judged.push(...(await measureOne(bench, plan, measurement, kept)));
    const needed = namesIn(lasting.slice(index + 1));
    for (const [name, contestant] of kept) {
      if (needed.includes(name)) continue;
      kept.delete(name);
      await contestant.end();
    }
  }
  for (const measurement of fresh) judged.push(...(await measureOne(bench, plan, measurement, new Map())));
  return judged;
}

function takingPartIn({ contestants }: Measurement, plan: Plan): ContestantName[] {
  return contestants.filter((name) => plan.contestants.includes(name));
}

/** A contestant that is not among `kept` is started for the round and ended after it. */
async function measureOne(
  bench: Bench,
  plan: Plan,
  measurement: Measurement,
  kept: ReadonlyMap<ContestantName, Contestant>,
): Promise<Verdict[]> {
  const names = takingPartIn(measurement, plan);
  const rounds = new Map<ContestantName, Figures[]>(names.map((name) => [name, []]));
  for (const name of names) {
    const contestant = kept.get(name);
    if (contestant) await measurement.measure(bench, contestant, WARM_UP);
  }
  const { count, timing } = plan.schedule[measurement.rounds];
  for (let round = 0; round < count; round += 1) {
    for (const name of names) {
      const contestant = kept.get(name) ?? (await startContestant(name, plan.options));
      const figures = await measurement.measure(bench, contestant, timing).catch((error: Error) => {
        throw new Error(`${labels[name]}, ${measurement.title}: ${error.message}`);
      });
      if (!kept.has(name)) await contestant.end();
      rounds.get(name)?.push(figures);
    }
  }
  print(tableText(measurement, rounds));
  return verdicts(measurement, rounds);
}

function printProfiles(folder: string): void {
  for (const file of readdirSync(folder)) {
    const path = join(folder, file);
    print(`\nTime without what was called (${path}):\n${profileSummary(path, 30)}`);
  }
}

async function endAndExit(code: number): Promise<never> {
  await endAllProcesses();
  await removeAllFolders();
  process.exit(code);
}

process.once('SIGINT', () => endAndExit(130));
process.once('SIGTERM', () => endAndExit(143));
try {
  await endAndExit(await run());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  await endAndExit(1);
}
