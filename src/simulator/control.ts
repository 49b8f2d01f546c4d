/** `/sim/…`: what a test does to a simulator in another process. It answers while the rest is frozen. */
import type { FaultBook } from './fault-book.ts';
import { type Command, parseCommand } from './faults.ts';
import type { SimulatorState } from './state.ts';

const BODY_SHOWN_BYTES = 65_536;

export interface ControlAnswer {
  readonly status: number;
  readonly body: string;
}

export function control(
  method: string,
  path: string,
  body: Buffer,
  state: SimulatorState,
  faults: FaultBook,
): ControlAnswer {
  if (path === '/sim/state' && method === 'GET') return ok(describe(state));
  if (path !== '/sim/faults') return { status: 404, body: '{"detail":"Not Found"}' };
  if (method === 'POST') return addFaults(body, faults);
  if (method === 'DELETE') faults.clear();
  return ok({ rules: faults.rules, switches: faults.switches });
}

function addFaults(body: Buffer, faults: FaultBook): ControlAnswer {
  let sent: unknown;
  try {
    sent = JSON.parse(body.toString());
  } catch {
    return wrong('the body is not JSON');
  }
  const commands: Command[] = [];
  for (const item of Array.isArray(sent) ? sent : [sent]) {
    const parsed = parseCommand(item);
    if ('problem' in parsed) return wrong(parsed.problem);
    commands.push(parsed.value);
  }
  for (const command of commands) faults.add(command);
  return ok({ rules: faults.rules, switches: faults.switches });
}

function describe({ counts, last }: SimulatorState) {
  if (!last) return { ...counts, last: null };
  return {
    ...counts,
    last: {
      method: last.method,
      path: last.path,
      headers: last.headers,
      body: last.body.toString('utf8', 0, BODY_SHOWN_BYTES),
      body_bytes: last.body.length,
    },
  };
}

function ok(value: unknown): ControlAnswer {
  return { status: 200, body: JSON.stringify(value) };
}

function wrong(problem: string): ControlAnswer {
  return { status: 400, body: JSON.stringify({ error: problem }) };
}
