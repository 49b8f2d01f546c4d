/**
 * What callers of jobs saw, and what the GPU server was asked. A request has one name everywhere: it is its
 * `x-request-id`, stands in its prompt, and comes back in the tenant's books. Times are `performance.now()` of the
 * test's own process.
 */
import type { JobStatus } from '../../../../src/core/job.ts';

export interface Post {
  readonly request: string;
  readonly replica: number;
  readonly sentAtMs: number;
  readonly tookMs: number;
  /** 0: no answer came. */
  readonly status: number;
  /** Of an error. */
  readonly code: string | undefined;
  /** What a 202 has promised. */
  readonly job: string | undefined;
}

export interface Reading {
  readonly job: string;
  readonly atMs: number;
  /** `absent`: 404. */
  readonly status: JobStatus | 'absent';
  readonly attempts: number;
  readonly usage: { readonly input: number; readonly output: number } | undefined;
  /** Of the bytes of its answer; undefined where it has none, or they were not asked for. */
  readonly digest: string | undefined;
}

export interface GpuCall {
  readonly request: string;
  /** Who has called: the name of a worker. */
  readonly by: string;
  readonly atMs: number;
}

export interface JobHistory {
  readonly posts: readonly Post[];
  readonly readings: readonly Reading[];
  readonly calls: readonly GpuCall[];
}
