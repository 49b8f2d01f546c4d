/** `GET /v1/jobs/{id}/result`: the answer itself, byte for byte, with its status and type. */

import { refusal } from '../../core/errors.ts';
import { isOver } from '../../core/job.ts';
import { PacedOutlet } from './paced-outlet.ts';
import { type JobRouteParts, jobIdOf, jobStep, noSuchJob, storeAway, tenantOf } from './parts.ts';

const notYet = refusal('job_has_no_answer', 'The job has not ended yet.');
const never = refusal('job_has_no_answer', 'The job has no answer, or not any more.');

export function jobResult(parts: JobRouteParts) {
  const { results, responder, stallMs } = parts;
  return jobStep(responder, async (request, reply) => {
    const found = await results.find(tenantOf(request), jobIdOf(request));
    if (!found.ok) return storeAway;
    if (!found.value) return noSuchJob;
    if (!isOver(found.value.status)) return notYet;
    const answer = await results.answer(found.value);
    if (!answer.ok) return storeAway;
    if (answer.value === 'missing') return never;
    const { status, contentType, body } = answer.value;
    const outlet = new PacedOutlet(reply.raw, stallMs);
    const begin = () => outlet.begin(() => responder.begin(request, reply, status, contentType, []));
    for await (const piece of body) {
      if (outlet.isGone) return undefined;
      begin();
      outlet.write(piece);
      await outlet.taken();
    }
    begin();
    outlet.end();
    request.call.bytesOut = outlet.bytes;
    return undefined;
  });
}
