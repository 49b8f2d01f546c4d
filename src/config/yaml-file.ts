/**
 * Reads a YAML file into plain values and remembers where each of them stood. The library's nodes are walked
 * here rather than by its own toJS(), because one walk then yields values, positions and bounds together:
 * aliases are counted each time they are used, so that a short text cannot unfold into a large configuration,
 * and one that holds itself ends at the depth limit.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import { type Fault, formatPath, type Path } from './fault.ts';

const TEXT_LENGTH_MAX = 1_000_000;
const VALUES_MAX = 50_000;
const DEPTH_MAX = 32;
const SYNTAX_FAULTS_MAX = 20;

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlFile {
  /** Undefined when the text is not YAML or is not a mapping. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly faults: readonly Fault[];
  /** Where the key or the list entry, or the nearest thing around it, stands. */
  locate(path: Path): Position | undefined;
}

/**
 * Says what a syntax error means. The library's own messages are not used: they quote the text, and with it
 * perhaps a secret.
 */
const syntaxErrors: Partial<Record<YAMLError['code'], readonly [problem: string, remedy: string]>> = {
  BAD_INDENT: [
    'the indentation does not fit, or a bracket stays open',
    'begin all entries of a block in one column',
  ],
  TAB_AS_INDENT: ['a tab indents the line', 'indent with spaces'],
  MISSING_CHAR: ['a quote, colon, comma, dash or bracket is missing', 'complete the line, or the one before'],
  BLOCK_AS_IMPLICIT_KEY: ['a second colon stands in the line', 'put quotes around the text that holds it'],
  MULTILINE_IMPLICIT_KEY: ['a key goes over several lines', 'check the line for a missing colon'],
  MULTIPLE_DOCS: ['the file holds several documents', 'leave only one; remove the line ---'],
  BAD_SCALAR_START: ['a value begins with a reserved character', 'put quotes around it'],
  BAD_DQ_ESCAPE: ['a backslash sequence is unknown', 'use single quotes, or write \\\\'],
  BAD_ALIAS: ['an alias leads nowhere', 'define the anchor above it'],
  TAG_RESOLVE_FAILED: ['a !tag is not supported', 'leave the tag out'],
  NON_STRING_KEY: ['a key is not plain text', 'write keys as plain words'],
  RESOURCE_EXHAUSTION: ['the values are nested too deeply', `nest at most ${DEPTH_MAX} levels`],
};
const otherSyntaxError = [
  'the text is not valid YAML',
  'correct the line, or put quotes around the value',
] as const;

/** @param name How faults call the file. */
export function readYaml(text: string, name: string): YamlFile {
  const lineCounter = new LineCounter();
  const positionOf = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset);
    return { line, column: col };
  };
  const nothing = { value: undefined, locate: () => undefined };
  const fail = (problem: string, remedy: string, position?: Position): YamlFile => ({
    ...nothing,
    faults: [{ source: name, ...position, path: '', problem, remedy }],
  });
  if (text.length > TEXT_LENGTH_MAX) {
    return fail(`the file is larger than ${TEXT_LENGTH_MAX} characters`, 'name the right file');
  }

  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    stringKeys: true,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const syntax = firstOfEachLine(
    [...document.errors, ...document.warnings].map((error) => {
      const [problem, remedy] = describeSyntaxError(error, text);
      return { source: name, ...positionOf(error.pos[0]), path: '', problem, remedy };
    }),
  );
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return { ...nothing, faults: syntax };

  const walk = new Walk(document);
  const root = document.contents === null ? {} : walk.plain(document.contents, []);
  if (walk.exceeded) {
    const [problem, remedy] = walk.exceeded;
    return fail(problem, remedy, positionOf(walk.exceededAt));
  }
  if (root !== null && (typeof root !== 'object' || Array.isArray(root))) {
    return fail('the file is not a mapping', 'begin it with a key, such as models:', positionOf(0));
  }
  const locate = (path: Path): Position | undefined => {
    for (let length = path.length; length > 0; length--) {
      const offset = walk.offsets.get(formatPath(path.slice(0, length)));
      if (offset !== undefined) return positionOf(offset);
    }
    return undefined;
  };
  return {
    value: (root ?? {}) as Record<string, unknown>,
    faults: [...syntax, ...walk.unresolved.map((offset) => aliasFault(name, positionOf(offset)))],
    locate,
  };
}

/** One slip makes the parser stumble many times; what follows in the same line says nothing new. */
function firstOfEachLine(faults: readonly Fault[]): Fault[] {
  const lines = new Set<number | undefined>();
  return faults.filter(({ line }) => !lines.has(line) && lines.add(line)).slice(0, SYNTAX_FAULTS_MAX);
}

function describeSyntaxError(error: YAMLError, text: string): readonly [problem: string, remedy: string] {
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^[a-z_0-9]{1,64}(?=\s*:)/.exec(text.slice(error.pos[0], error.pos[0] + 80))?.[0];
    return [`the key ${key ? `"${key}" ` : ''}stands twice in its mapping`, 'keep one of the two'];
  }
  return syntaxErrors[error.code] ?? otherSyntaxError;
}

function aliasFault(source: string, position: Position): Fault {
  return {
    source,
    ...position,
    path: '',
    problem: 'an alias leads nowhere',
    remedy: 'define the anchor above it',
  };
}

class Walk {
  /** By path: where a key or a list entry begins. */
  readonly offsets = new Map<string, number>();
  /** Offsets of aliases without an anchor. */
  readonly unresolved: number[] = [];
  exceeded: readonly [problem: string, remedy: string] | undefined;
  exceededAt = 0;
  private readonly targets: ReadonlyMap<Node, Node>;
  private values = 0;

  constructor(document: Document.Parsed) {
    this.targets = aliasTargets(document);
  }

  /** A key without a value counts as absent, so that a section may stand empty with its keys commented out. */
  plain(node: Node, path: Path): unknown {
    const offset = node.range?.[0] ?? 0;
    if (this.exceeded || !this.spend(path.length, offset)) return undefined;
    if (isScalar(node)) return node.value;
    if (isSeq<Node>(node)) return this.list(node.items, path);
    if (isMap<Node, Node | null>(node)) return this.mapping(node.items, path);
    const target = this.targets.get(node);
    if (target) return this.plain(target, path);
    this.unresolved.push(offset);
    return undefined;
  }

  private list(items: readonly Node[], path: Path): unknown[] {
    return items.map((item, index) => {
      const place = [...path, index];
      this.offsets.set(formatPath(place), item.range?.[0] ?? 0);
      return this.plain(item, place);
    });
  }

  private mapping(pairs: readonly { key: Node; value: Node | null }[], path: Path): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (const { key, value } of pairs) {
      const name = String(isScalar(key) ? key.value : '');
      const place = [...path, name];
      this.offsets.set(formatPath(place), key.range?.[0] ?? 0);
      const plain = value === null ? null : this.plain(value, place);
      if (plain !== null || meansNull(path)) entries.push([name, plain]);
    }
    return Object.fromEntries(entries);
  }

  private spend(depth: number, offset: number): boolean {
    this.values += 1;
    if (depth > DEPTH_MAX) {
      this.exceeded = ['the values are nested too deeply', `nest at most ${DEPTH_MAX} levels`];
    } else if (this.values > VALUES_MAX) {
      this.exceeded = [`there are more than ${VALUES_MAX} values, aliases counted`, 'use fewer aliases'];
    }
    this.exceededAt = offset;
    return this.exceeded === undefined;
  }
}

/** Elsewhere a key without a value counts as left out. */
function meansNull(path: Path): boolean {
  const [section] = path;
  if (section === 'tenants') return path.length > 1;
  return section === 'policies' ? path.length > 2 : path.includes('body_schema');
}

/** An alias means the last anchor of its name before it. */
function aliasTargets(document: Document.Parsed): Map<Node, Node> {
  const anchored = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        const target = anchored.get(node.source);
        if (target) targets.set(node, target);
      } else if (node.anchor) anchored.set(node.anchor, node);
    },
  });
  return targets;
}
