/**
 * How much a GPU server says it has to do, out of the Prometheus text of its metrics. A server gives one sample for
 * each of its models or engines, so they are summed. The text is not parsed as a whole: it may be a hundred
 * kilobytes of histograms, and only the beginnings of its lines are looked at. What makes no sense is passed over.
 */

/** Calls, of anyone. */
export interface EngineLoad {
  readonly running: number;
  /** Taken and not begun. */
  readonly waiting: number;
}

interface Gauge {
  readonly name: string;
  readonly state: keyof EngineLoad;
}

const gauges: readonly Gauge[] = [
  { name: 'vllm:num_requests_running', state: 'running' },
  { name: 'vllm:num_requests_waiting', state: 'waiting' },
  { name: 'sglang:num_running_reqs', state: 'running' },
  { name: 'sglang:num_queue_reqs', state: 'waiting' },
  { name: 'llamacpp:requests_processing', state: 'running' },
  { name: 'llamacpp:requests_deferred', state: 'waiting' },
];
const gaugesByInitial: ReadonlyMap<number, readonly Gauge[]> = Map.groupBy(gauges, ({ name }) =>
  name.charCodeAt(0),
);

/** No server has so many; whoever says so must not make sums overflow. */
export const CALLS_MAX = 1_000_000;

/** Undefined: none of the known names is there. */
export function engineLoad(text: string): EngineLoad | undefined {
  const sums = { running: 0, waiting: 0 };
  let isKnown = false;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const gauge = gaugeAt(text, at);
    const count = gauge ? sampleValue(text.slice(at + gauge.name.length, end)) : undefined;
    if (gauge && count !== undefined) {
      sums[gauge.state] = Math.min(CALLS_MAX, sums[gauge.state] + count);
      isKnown = true;
    }
    at = end + 1;
  }
  return isKnown ? sums : undefined;
}

function gaugeAt(text: string, at: number): Gauge | undefined {
  return gaugesByInitial.get(text.charCodeAt(at))?.find(({ name }) => text.startsWith(name, at));
}

/** @param rest of the line, behind the name: `{labels} value timestamp`, of which the value alone has to be there */
function sampleValue(rest: string): number | undefined {
  if (!/^[{ \t]/.test(rest)) return undefined; // a longer name
  const [value = ''] = rest
    .slice(rest.lastIndexOf('}') + 1)
    .trim()
    .split(/[ \t]/, 1);
  const count = value === '' ? Number.NaN : Number(value);
  return Number.isFinite(count) && count >= 0 ? count : undefined;
}
