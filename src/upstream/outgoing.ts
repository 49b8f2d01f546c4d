/** A call of ours as a GPU server gets it. */
import { type Edit, type Member, splice } from '../core/json-scan.ts';

/** All that a GPU server gets to see of a request besides its body, and its place in a trace (`attempts.ts`). */
export function upstreamHeaders(authorization: readonly string[], requestId: string): string[] {
  return ['content-type', 'application/json', 'x-request-id', requestId, ...authorization];
}

interface ScannedObject {
  readonly bytes: Buffer;
  /** Of the top level. */
  readonly members: ReadonlyMap<string, Member>;
}

/** A JSON object with other values for some of its members, spliced in, or put in front where it has none. */
export function withMembers(
  object: ScannedObject,
  changes: readonly (readonly [name: string, value: unknown])[],
): Buffer {
  return splice(
    object.bytes,
    changes.map(([name, value]) => memberEdit(object, name, value)),
  );
}

function memberEdit({ bytes, members }: ScannedObject, name: string, value: unknown): Edit {
  const member = members.get(name);
  const json = JSON.stringify(value);
  if (member) return { ...member, bytes: Buffer.from(json) };
  const start = bytes.indexOf(0x7b) + 1;
  const separator = members.size > 0 ? ',' : '';
  return { start, end: start, bytes: Buffer.from(`${JSON.stringify(name)}:${json}${separator}`) };
}
