/** The scripts of jobs: what stands on top of each is its contract, and `jobs/queue.lua` what they share. */
import type { Result } from 'ioredis';

/** Code, attempt, status. */
type Verdict = [number, number, string];

type EndOfJob = [
  root: string,
  id: string,
  attempt: number,
  status: string,
  cost: number | '',
  usage: string,
  errorCode: string,
  errorMessage: string,
];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    acceptJob(root: string, ...job: (string | number)[]): Result<[number, string, number], Context>;
    pickJobs(root: string, line: string, countMax: number): Result<string[], Context>;
    parkTenant(root: string, line: string, tenant: string, forMs: number): Result<number, Context>;
    startJobBuffer(
      root: string,
      id: string,
      holder: string,
      triesMax: number,
      requestBytesMax: number,
    ): Result<[number, number, Buffer, bytes?: number, about?: Buffer, chunk?: Buffer | null], Context>;
    putBackJob(root: string, id: string, attempt: number): Result<Verdict, Context>;
    finishJob(...end: EndOfJob): Result<Verdict, Context>;
    completeJob(
      ...answered: [...end: EndOfJob, lifetimeMs: number, chunk: Buffer, about: string]
    ): Result<Verdict, Context>;
    cancelJob(
      root: string,
      id: string,
      tenant: string,
      wish: string,
      forget: 0 | 1,
    ): Result<Verdict, Context>;
    sweepJobs(root: string, countMax: number): Result<[number, number], Context>;
    placeOfJob(root: string, id: string): Result<[number, number], Context>;
    surveyLine(root: string, line: string): Result<(string | number)[], Context>;
    overdueJobs(root: string, line: string, ageMs: number, countMax: number): Result<string[], Context>;
    clockOfJobs(root: string): Result<number, Context>;
    holdJobs(root: string, forMs: number, ...ids: string[]): Result<number[], Context>;
    promiseJob(root: string, id: string): Result<Verdict, Context>;
    abandonJobs(root: string, ...ids: string[]): Result<number[], Context>;
  }
}

const common = { keys: 1, shared: 'jobs/queue' } as const;

export const jobScripts = [
  { command: 'acceptJob', file: 'jobs/accept', ...common },
  { command: 'pickJobs', file: 'jobs/pick', ...common },
  { command: 'parkTenant', file: 'jobs/park', ...common },
  { command: 'startJob', file: 'jobs/start', ...common },
  { command: 'putBackJob', file: 'jobs/put-back', ...common },
  { command: 'finishJob', file: 'jobs/finish', keys: 1, shared: ['jobs/queue', 'jobs/ending'] },
  { command: 'completeJob', file: 'jobs/complete', keys: 1, shared: ['jobs/queue', 'jobs/ending'] },
  { command: 'cancelJob', file: 'jobs/cancel', ...common },
  { command: 'sweepJobs', file: 'jobs/sweep', ...common },
  { command: 'placeOfJob', file: 'jobs/place', ...common },
  { command: 'surveyLine', file: 'jobs/survey', ...common },
  { command: 'overdueJobs', file: 'jobs/overdue', ...common },
  { command: 'clockOfJobs', file: 'jobs/clock', ...common },
  { command: 'holdJobs', file: 'jobs/hold', ...common },
  { command: 'promiseJob', file: 'jobs/promise', ...common },
  { command: 'abandonJobs', file: 'jobs/abandon', ...common },
] as const;
