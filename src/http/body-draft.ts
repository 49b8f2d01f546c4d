import { type Edit, type Member, splice } from '../core/json-scan.ts';
import { startOfFirst } from '../core/json-walk.ts';
import type { JsonBody } from './body.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;

/**
 * A request body that is being changed: its value at once, its bytes when it is `done`, by splicing. What nobody
 * touches keeps its bytes. The body that was given is left as it is.
 */
export class BodyDraft {
  readonly #body: JsonBody;
  #value: Record<string, unknown> | undefined;
  /** Fields whose bytes must follow the value; with an edit where a part of the old bytes suffices. */
  readonly #changed = new Map<string, Edit | undefined>();

  constructor(body: JsonBody) {
    this.#body = body;
  }

  /** With all changes so far. */
  get value(): Readonly<Record<string, unknown>> {
    return this.#value ?? this.#body.value;
  }

  /** Top-level fields that differ from what the client sent. */
  get changedNames(): Iterable<string> {
    return this.#changed.keys();
  }

  set(name: string, value: unknown): void {
    if (Object.is(this.value[name], value)) return;
    this.#writable()[name] = value;
    this.#changed.set(name, undefined);
  }

  remove(name: string): void {
    if (!Object.hasOwn(this.value, name)) return;
    delete this.#writable()[name];
    this.#changed.set(name, undefined);
  }

  /** Puts an element in front of an array of the client's that has elements, without writing those anew. */
  putInFront(name: string, element: unknown): void {
    const list = this.value[name] as readonly unknown[];
    this.#editFirst(name, [element].concat(list), (start) => start, ',');
  }

  /** Replaces the first element of an array of the client's. */
  replaceFirst(name: string, element: unknown, endOf: (bytes: Buffer, start: number) => number): void {
    const list = this.value[name] as readonly unknown[];
    this.#editFirst(name, [element].concat(list.slice(1)), (start) => endOf(this.#body.bytes, start), '');
  }

  /** The body itself where nothing has changed. */
  done(): JsonBody {
    if (this.#changed.size === 0) return this.#body;
    const edits = [...this.#insertions(), ...this.#replacements(), ...this.#removals()];
    edits.sort((one, other) => one.start - other.start);
    const { bytes, members } = this.#body;
    return {
      bytes: splice(bytes, edits),
      value: this.#writable(),
      members: this.#withInserted(movedBy(edits, members)),
    };
  }

  #writable(): Record<string, unknown> {
    this.#value ??= { ...this.#body.value };
    return this.#value;
  }

  #editFirst(
    name: string,
    list: readonly unknown[],
    endOf: (start: number) => number,
    separator: string,
  ): void {
    const { bytes, members } = this.#body;
    const member = members.get(name);
    this.#writable()[name] = list;
    const start = member && startOfFirst(bytes, member);
    const edit = start !== undefined && {
      start,
      end: endOf(start),
      bytes: Buffer.from(JSON.stringify(list[0]) + separator),
    };
    this.#changed.set(name, edit || undefined);
  }

  #isRemoved(name: string): boolean {
    return this.#changed.has(name) && !Object.hasOwn(this.value, name);
  }

  #isInserted(name: string): boolean {
    return !this.#body.members.has(name) && Object.hasOwn(this.value, name);
  }

  /** New fields stand in front of all others: that place is known. */
  #insertions(): Edit[] {
    const text = this.#insertedTexts().map(({ name, json }) => name + json);
    if (text.length === 0) return [];
    const isFollowed = [...this.#body.members.keys()].some((name) => !this.#isRemoved(name));
    const start = this.#insertedAt;
    return [{ start, end: start, bytes: Buffer.from(text.join(',') + (isFollowed ? ',' : '')) }];
  }

  get #insertedAt(): number {
    return this.#body.bytes.indexOf(OPEN_BRACE) + 1;
  }

  #insertedTexts(): { field: string; name: string; json: string }[] {
    return [...this.#changed.keys()]
      .filter((field) => this.#isInserted(field))
      .map((field) => ({
        field,
        name: `${JSON.stringify(field)}:`,
        json: JSON.stringify(this.value[field]),
      }));
  }

  #withInserted(moved: Map<string, Member>): Map<string, Member> {
    let at = this.#insertedAt;
    for (const { field, name, json } of this.#insertedTexts()) {
      const start = at + Buffer.byteLength(name);
      at = start + Buffer.byteLength(json) + 1;
      moved.set(field, { start, end: at - 1 });
    }
    for (const name of this.#changed.keys()) if (this.#isRemoved(name)) moved.delete(name);
    return moved;
  }

  #replacements(): Edit[] {
    return [...this.#changed].flatMap(([name, edit]) => {
      const member = this.#body.members.get(name);
      if (!member || this.#isRemoved(name)) return [];
      return [edit ?? { ...member, bytes: Buffer.from(JSON.stringify(this.value[name])) }];
    });
  }

  /** Neighbours are taken out together, with as many commas as they have between them and what stays. */
  #removals(): Edit[] {
    const removed = [...this.#changed.keys()].some((name) => this.#isRemoved(name));
    if (!removed) return [];
    const { bytes, members } = this.#body;
    const edits: Edit[] = [];
    let keptEnd: number | undefined;
    let run: { readonly start: number; end: number } | undefined;
    for (const [name, { start, end }] of members) {
      if (this.#isRemoved(name)) {
        run ??= { start: startOfName(bytes, start), end };
        run.end = end;
        continue;
      }
      if (run) edits.push({ start: run.start, end: startOfName(bytes, start), bytes: NOTHING });
      run = undefined;
      keptEnd = end;
    }
    if (run) edits.push({ start: keptEnd ?? run.start, end: run.end, bytes: NOTHING });
    return edits;
  }
}

const NOTHING = Buffer.alloc(0);

/** Where the quoted name of a member begins whose value begins here. Inside a name a quote is escaped. */
function startOfName(bytes: Buffer, valueStart: number): number {
  const closing = bytes.lastIndexOf(QUOTE, valueStart - 1);
  for (let at = bytes.lastIndexOf(QUOTE, closing - 1); at > 0; at = bytes.lastIndexOf(QUOTE, at - 1)) {
    let slashes = 0;
    while (bytes[at - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return closing;
}

/** Both in the order of the bytes, so that one pass suffices however many members a body has. */
function movedBy(edits: readonly Edit[], members: ReadonlyMap<string, Member>): Map<string, Member> {
  const moved = new Map<string, Member>();
  let shift = 0;
  let next = 0;
  const passEditsUntil = (end: number) => {
    for (let edit = edits[next]; edit && edit.end <= end; edit = edits[next]) {
      shift += edit.bytes.length - (edit.end - edit.start);
      next += 1;
    }
  };
  for (const [name, member] of members) {
    passEditsUntil(member.start);
    const start = member.start + shift;
    passEditsUntil(member.end);
    moved.set(name, { start, end: member.end + shift });
  }
  return moved;
}
