/** Where an unfinished job stands and when it will be done; estimates, as core/line-survey.ts makes them. */
import { isOver, type JobRecord } from '../core/job.ts';
import { drainRate, type LineSurvey, standingOf } from '../core/line-survey.ts';
import type { JobTable } from '../redis/job-table.ts';

export interface JobStanding {
  /** 1: the next; 0: a worker has it, or is about to. */
  readonly position: number;
  /** Until it is done; undefined while nobody knows how fast its line moves. */
  readonly etaMs: number | undefined;
}

export interface JobStandings {
  /** Undefined: it is over, or Redis does not say. Asks once, and for the line once a second for all its jobs. */
  of(record: JobRecord): Promise<JobStanding | undefined>;
}

const SURVEY_EVERY_MS = 1_000;
/** Lines are pools and routes of the configuration; those of earlier ones go when there are more. */
const LINES_MAX = 1_000;

/** @param now monotonic, ms */
export function jobStandings(table: Pick<JobTable, 'place' | 'survey'>, now: () => number): JobStandings {
  const surveys = new Map<
    string,
    { readonly atMs: number; readonly survey: Promise<LineSurvey | undefined> }
  >();

  const survey = (line: string): Promise<LineSurvey | undefined> => {
    const nowMs = now();
    const known = surveys.get(line);
    if (known && nowMs - known.atMs < SURVEY_EVERY_MS) return known.survey;
    if (surveys.size >= LINES_MAX) surveys.clear();
    const asked = table.survey(line).then((answer) => (answer.ok ? answer.value : undefined));
    surveys.set(line, { atMs: nowMs, survey: asked });
    return asked;
  };

  return {
    async of(record) {
      if (isOver(record.status)) return undefined;
      const [place, line] = await Promise.all([
        record.status === 'queued' ? table.place(record.id) : undefined,
        survey(record.line),
      ]);
      if (!line) return undefined;
      if (!place?.ok || place.value.place !== 'waiting')
        return { position: 0, etaMs: untilDone(line, record) };
      // It came after the survey was made.
      const standing = standingOf(line, record.tenant, place.value.rank);
      return standing ?? { position: line.waiting + 1, etaMs: undefined };
    },
  };
}

/** The jobs in hand share the rate of the line. One that takes longer than expected will be done in a second. */
function untilDone(line: LineSurvey, { cost, started_at_ms }: JobRecord): number | undefined {
  const rate = drainRate(line);
  if (rate === undefined) return undefined;
  const takesMs = (Math.max(1, line.handed) * cost * 1_000) / rate;
  return Math.max(1_000, Math.round(takesMs - (line.nowMs - (started_at_ms ?? line.nowMs))));
}
