/** `GET /v1/jobs/{id}`: how a job stands and, when it is done, what came of it. With `Prefer: wait=N` a long poll. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../../core/errors.ts';
import { isOver, type JobRecord } from '../../core/job.ts';
import type { StoredJobAnswer } from '../../jobs/results.ts';
import { aroundResult, type JobObject, jobObject, pollAfterMs } from './job-object.ts';
import { untilOver } from './long-poll.ts';
import { PacedOutlet } from './paced-outlet.ts';
import { type JobRouteParts, jobIdOf, jobStep, noSuchJob, storeAway, tenantOf } from './parts.ts';
import { preferences } from './prefer.ts';

/** What is shorter is looked at whether it is JSON; a longer one was, or its server says so. */
const CHECKED_BYTES_MAX = 1_048_576;
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\b/i;

export function showJob(parts: JobRouteParts) {
  return jobStep(parts.responder, async (request, reply) => {
    const { waitSeconds } = preferences(request.headers.prefer);
    const ofWhom = [tenantOf(request), jobIdOf(request)] as const;
    const found = waitSeconds
      ? await untilOver(parts, reply.raw, ofWhom, waitSeconds * 1_000)
      : await parts.results.find(...ofWhom);
    if (!found.ok) return storeAway;
    if (!found.value) return noSuchJob;
    const applied = waitSeconds ? ['preference-applied', `wait=${waitSeconds}`] : [];
    return answerWith(parts, request, reply, found.value, applied);
  });
}

/** The job as it is now, with its result. */
export async function answerWith(
  parts: JobRouteParts,
  request: FastifyRequest,
  reply: FastifyReply,
  record: JobRecord,
  headers: readonly string[],
): Promise<Refusal | undefined> {
  const { responder, results, standings } = parts;
  const standing = isOver(record.status) ? undefined : await standings.of(record);
  const job = jobObject(record, standing);
  const poll = pollAfterMs(record, standing);
  const list = poll === undefined ? [...headers] : [...headers, 'openai-poll-after-ms', String(poll)];
  if (record.status === 'completed') {
    const answer = await results.answer(record);
    if (!answer.ok) return storeAway;
    if (answer.value !== 'missing' && JSON_TYPE.test(answer.value.contentType)) {
      return answerWithResult(parts, request, reply, job, answer.value, list);
    }
  }
  if (!reply.raw.destroyed) responder.json(request, reply, 200, JSON.stringify(job), list);
  return undefined;
}

async function answerWithResult(
  { responder, stallMs }: JobRouteParts,
  request: FastifyRequest,
  reply: FastifyReply,
  job: JobObject,
  answer: StoredJobAnswer,
  headers: string[],
): Promise<undefined> {
  const [before, behind] = aroundResult(job);
  const held: Buffer[] = [];
  let bytes = 0;
  let outlet: PacedOutlet | undefined;
  for await (const piece of answer.body) {
    if (reply.raw.destroyed) return;
    if (!outlet) {
      held.push(piece);
      bytes += piece.length;
      if (bytes <= CHECKED_BYTES_MAX) continue;
      outlet = new PacedOutlet(reply.raw, stallMs);
      outlet.begin(() => responder.begin(request, reply, 200, 'application/json; charset=utf-8', headers));
      outlet.write(before);
      for (const one of held) outlet.write(one);
    } else {
      outlet.write(piece);
    }
    await outlet.taken();
  }
  if (outlet) {
    outlet.end(behind);
    request.call.bytesOut = outlet.bytes;
  } else if (!reply.raw.destroyed) {
    const result = Buffer.concat(held).toString();
    const body = isJson(result) ? `${before}${result}${behind}` : JSON.stringify(job);
    responder.json(request, reply, 200, body, headers);
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
