import { type Edit, JsonScanner, type Member, splice } from '../core/json-scan.ts';
import { readUsage, type Usage } from '../core/usage.ts';

/** Our own servers' answers: nothing to refuse, whatever their depth. */
const UNBOUNDED = { depthMax: Number.MAX_SAFE_INTEGER, valuesMax: Number.MAX_SAFE_INTEGER };

/** A `model` or `usage` that is split over pieces is held until it is whole; more than this cannot be one. */
const HELD_BYTES_MAX = 65_536;

/** A member that an answer is to end with, unless the server has one of that name. */
export interface LastMember {
  readonly name: string;
  /** JSON; asked for when the answer's end has come. */
  value(): string;
}

/**
 * A JSON answer on its way through: the server's bytes, but for the name of the model, which becomes what the
 * client asked for, and with a look at `usage`. Pieces pass as they come, so a large answer is never held.
 */
export class JsonAnswer {
  usage: Usage | undefined;
  readonly overflow = false;
  readonly addedBytes = 0;
  /** Its length is no longer what the server announced, or may yet change. */
  get edited(): boolean {
    return this.#edited || !this.#modelSeen || this.#lastMember !== undefined;
  }

  /** Is it whole? A server that ends its answers by closing the connection may have died in the middle. */
  get complete(): boolean {
    const { rootEnd, fault } = this.#scanner ?? { rootEnd: -1, fault: undefined };
    return this.#parsed || rootEnd >= 0 || fault !== undefined;
  }

  #edited = false;
  #parsed = false;
  /** Not there while `whole` has sufficed. */
  #scanner: JsonScanner | undefined;
  readonly #model: string | undefined;
  #held: Buffer | undefined;
  /** Offset of the first byte that has not been passed on. */
  #passed = 0;
  #modelSeen = false;
  #usageSeen = false;
  /** Until it has been written. */
  #lastMember: LastMember | undefined;

  /** `model`: what the answer shall name; undefined leaves it alone. */
  constructor(model: string | undefined, lastMember?: LastMember) {
    this.#model = model;
    this.#lastMember = lastMember;
    this.#modelSeen = model === undefined;
  }

  /** An answer that came in one piece. Nearly always nothing has to change in it, and parsing tells that soonest. */
  whole(bytes: Buffer): Buffer {
    if (this.#lastMember) return this.push(bytes);
    const answer = parse(bytes.toString('utf8'));
    const model = answer?.model;
    const isRight = this.#modelSeen || typeof model !== 'string' || model === this.#model;
    if (!answer || !isRight) return this.push(bytes);
    this.usage = readUsage(answer.usage);
    this.#parsed = true;
    return bytes;
  }

  push(piece: Buffer): Buffer {
    this.#scanner ??= new JsonScanner(UNBOUNDED);
    this.#scanner.feed(piece);
    const bytes = this.#held ? Buffer.concat([this.#held, piece]) : piece;
    this.#held = undefined;
    const edits: Edit[] = [];
    this.#lookAtModel(bytes, edits);
    this.#lookAtUsage(bytes);
    this.#lookAtEnd(bytes, edits);
    return this.#release(bytes, edits);
  }

  end(): Buffer | undefined {
    return this.#held;
  }

  #lookAtModel(bytes: Buffer, edits: Edit[]): void {
    if (this.#modelSeen || this.#model === undefined) return;
    const member = this.#whole('model');
    if (!member) return;
    this.#modelSeen = true;
    const edit = modelEdit(bytes, member, Buffer.from(JSON.stringify(this.#model)));
    if (!edit) return;
    this.#edited = true;
    edits.push(edit);
  }

  #lookAtUsage(bytes: Buffer): void {
    if (this.#usageSeen) return;
    const member = this.#whole('usage');
    if (!member) return;
    this.#usageSeen = true;
    this.usage = readUsage(parse(bytes.toString('utf8', member.start, member.end)));
  }

  #lookAtEnd(bytes: Buffer, edits: Edit[]): void {
    const { rootEnd, members, fault } = this.#scanner as JsonScanner;
    if (!this.#lastMember || rootEnd < 0) return;
    const { name, value } = this.#lastMember;
    const at = rootEnd - this.#passed;
    this.#lastMember = undefined;
    if (fault || bytes[at] !== 0x7d || members.has(name)) return;
    this.#edited = true;
    const separator = members.size > 0 ? ',' : '';
    edits.push({ start: at, end: at, bytes: Buffer.from(`${separator}${JSON.stringify(name)}:${value()}`) });
  }

  /** A finished member, in offsets of the bytes at hand. */
  #whole(name: string): Member | undefined {
    const member = this.#scanner?.members.get(name);
    if (!member || member.start < this.#passed) return undefined;
    return { start: member.start - this.#passed, end: member.end - this.#passed };
  }

  #release(bytes: Buffer, edits: readonly Edit[]): Buffer {
    const open = this.#scanner?.openMember;
    const wanted =
      (open?.name === 'model' && !this.#modelSeen) || (open?.name === 'usage' && !this.#usageSeen);
    let until = bytes.length;
    if (open && wanted && open.start >= this.#passed) {
      const heldFrom = open.start - this.#passed;
      if (bytes.length - heldFrom <= HELD_BYTES_MAX) {
        until = heldFrom;
        this.#held = bytes.subarray(heldFrom);
      }
    }
    this.#passed += until;
    const released = until === bytes.length ? bytes : bytes.subarray(0, until);
    return edits.length > 0 ? splice(released, edits) : released;
  }
}

function modelEdit(bytes: Buffer, member: Member, model: Buffer): Edit | undefined {
  const isString = bytes[member.start] === 0x22;
  if (!isString || bytes.compare(model, 0, model.length, member.start, member.end) === 0) return undefined;
  return { start: member.start, end: member.end, bytes: model };
}

/** `model` on the top level, and inside `response` as in the events of the Responses API. */
export function replaceModel(json: Buffer, model: Buffer): Buffer {
  const scanner = new JsonScanner(UNBOUNDED);
  scanner.feed(json);
  const edits: Edit[] = [];
  const member = scanner.members.get('model');
  const edit = member && modelEdit(json, member, model);
  if (edit) edits.push(edit);
  const response = scanner.members.get('response');
  if (response && json[response.start] === 0x7b) {
    edits.push({ ...response, bytes: replaceModel(json.subarray(response.start, response.end), model) });
  }
  return edits.length > 0 ? splice(json, edits) : json;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
