/**
 * Where the time of a .cpuprofile went, not counting what each function called: by package or folder, with what the
 * engine did on its behalf, then by function.
 *
 *     node test/bench/profile-summary.ts file.cpuprofile [how many]
 */
import { readFileSync } from 'node:fs';

interface CallFrame {
  readonly functionName: string;
  /** Empty for what is native to the engine. */
  readonly url: string;
  readonly lineNumber: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export function profileSummary(file: string, count: number): string {
  const profile: CpuProfile = JSON.parse(readFileSync(file, 'utf8'));
  const homes = homesOf(profile.nodes);
  const byHome = selfTime(profile, ({ id }) => homes.get(id) ?? '?');
  const byFunction = selfTime(profile, ({ callFrame }) => functionText(callFrame));
  return `${topText(byHome, count)}\n\n${topText(byFunction, count)}`;
}

function selfTime(profile: CpuProfile, groupOf: (node: ProfileNode) => string): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const times = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const node = nodes.get(id);
    if (!node || node.callFrame.functionName === '(idle)') continue;
    const group = groupOf(node);
    times.set(group, (times.get(group) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  return times;
}

/** What is native belongs to the home of its caller. */
function homesOf(nodes: readonly ProfileNode[]): Map<number, string> {
  const homes = new Map<number, string>();
  // A node stands before its children, so that its caller's home is known.
  for (const { id, callFrame, children } of nodes) {
    const inherits = callFrame.url === '' && !callFrame.functionName.startsWith('(');
    const home = (inherits ? homes.get(id) : undefined) ?? homeOf(callFrame);
    homes.set(id, home);
    for (const child of children ?? []) homes.set(child, home);
  }
  return homes;
}

function homeOf({ functionName, url }: CallFrame): string {
  if (url === '') return functionName || '(native)';
  return (
    /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ??
    /src\/[^/]+/.exec(url)?.[0] ??
    url.replace(/\/[^/]*$/, '')
  );
}

function functionText({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || '(anonymous)';
  return url === ''
    ? name
    : `${name}  ${url.replace(/^.*\/(?:node_modules\/|(?=src\/))/, '')}:${lineNumber + 1}`;
}

function topText(times: ReadonlyMap<string, number>, count: number): string {
  const all = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([group, time]) => `${((time / all) * 100).toFixed(1).padStart(5)} %  ${group}`)
    .join('\n');
}

if (import.meta.main) {
  const [file, count] = process.argv.slice(2);
  if (file === undefined) {
    process.stderr.write('usage: node test/bench/profile-summary.ts file.cpuprofile [how many]\n');
    process.exit(2);
  }
  process.stdout.write(`${profileSummary(file, Number(count ?? 40))}\n`);
}
