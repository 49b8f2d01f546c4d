/** What a call that ended so has to cost. */
import type { Due } from './checker.ts';
import type { CallRecord } from './history.ts';

/** A prompt that nobody has counted is charged as it was estimated. */
/** Before anything is learned of a model's answers; later it is less. */
const RESERVED_MAX = 256;
const ESTIMATE_MAX = 400;
const NOTHING = [0, 0] as const;
const notBooked: Due = { lines: [0, 0], statuses: [], input: NOTHING, output: NOTHING };

/** The whole answer came, and said itself what it has cost. */
export function dueOfWhole(call: CallRecord): Due {
  if (call.status !== 200) return notBooked;
  const { input, output } = call.usage ?? { input: Number.NaN, output: Number.NaN };
  return { lines: [1, 1], statuses: [200], input: [input, input], output: [output, output] };
}

/** Kinds of endings, by the name that the history has for them. */
const dues: Readonly<Record<string, (call: CallRecord) => Due>> = {
  ok: dueOfWhole,
  stream: dueOfWhole,
  limited: dueOfWhole,
  bad_json: () => notBooked,
  unknown_model: () => notBooked,
  refused_upstream: () => ({ lines: [1, 1], statuses: [400, 422], input: NOTHING, output: NOTHING }),
  failed_upstream: failed,
  reset: failed,
  timed_out: failed,
  half_stream: (call) => ({ ...uncounted(call), lines: [1, 1], statuses: [200] }),
  left_in_stream: (call) => ({ ...uncounted(call), lines: [1, 1], statuses: [499] }),
  // By the time that it ran and the model's learned pace, at most what was reserved.
  left_before: (call) => ({ ...uncounted(call), output: [0, RESERVED_MAX], statuses: [499] }),
};

export function dueOf(call: CallRecord): Due {
  const due = dues[call.kind];
  if (!due) throw new Error(`no due for ${call.kind}`);
  if (call.status === 429) return notBooked;
  return call.status >= 500 ? failed() : due(call);
}

/** Costs nothing and gives its quota back; the call stands in the books nevertheless. */
function failed(): Due {
  return { lines: [1, 1], statuses: [500, 502, 503, 504], input: NOTHING, output: NOTHING };
}

/** Broken off: the prompt as estimated, and at most the whole answer. */
function uncounted({ counted }: CallRecord): Due {
  return {
    lines: [0, 1],
    statuses: [200, 499],
    input: [1, counted.input + ESTIMATE_MAX],
    output: [0, counted.output],
  };
}
