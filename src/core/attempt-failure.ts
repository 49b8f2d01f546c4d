/**
 * What became of a GPU server's attempt at a call, where it was no answer. A closed set. `frozen`: its probes were not
 * answered, and the call was moved on; a number: the status with which it failed; the others: what happened on the wire.
 */
export type AttemptFailure =
  | 'connect'
  | 'reset'
  | 'malformed'
  | 'first_byte'
  | 'idle'
  | 'total'
  | 'ended_early'
  | 'too_long'
  | 'frozen'
  | number;
