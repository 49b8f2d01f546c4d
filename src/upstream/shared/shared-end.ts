import type { CallEnd } from '../../core/call.ts';
import { errorTable, type Refusal } from '../../core/errors.ts';
import type { SharedEnd } from '../answer-source.ts';
import type { AnswerTape } from './answer-tape.ts';

/**
 * What is told of the end of a shared call.
 * @param how it ended, and `refused` why not well, as its conductor has it
 */
export function endOf(tape: AnswerTape, how: CallEnd, refused: Refusal | undefined): SharedEnd {
  const { head, ended } = tape;
  const isRefusal = refused !== undefined && errorTable[refused.name].blame === 'client';
  if (!head || ended?.kind !== 'finished' || (how !== 'finished' && !isRefusal)) return { kind: 'failed' };
  if (tape.isLong) return { kind: 'too_long' };
  const { target, status, headers } = head;
  const { upstream, shape } = target;
  return {
    kind: isRefusal ? 'refused' : 'whole',
    answer: {
      status,
      contentType: headers['content-type'] ?? '',
      body: tape.whole(),
      upstream: upstream.name,
      upstreamModel: shape.kind === 'openai' ? shape.upstreamModel : '',
    },
  };
}
