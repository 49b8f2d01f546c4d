/** The words of a simulated answer, one piece a token, with their JSON literals at hand. */

const tokens = [
  ...['This', ' is', ' a', ' simulated', ' answer', '.', ' No', ' model', ' has', ' run', ':', ' the'],
  ...[
    ' words',
    ' are',
    ' always',
    ' the',
    ' same',
    ',',
    ' so',
    ' that',
    ' tests',
    ' and',
    ' first',
    ' steps',
  ],
  ...[' need', ' no', ' GPU', '.', ' It', ' goes', ' on', ':', ' ...', '\n'],
];

export interface Prose {
  readonly pieces: readonly string[];
  /** The pieces as JSON string literals. */
  readonly encoded: readonly string[];
  readonly text: string;
  readonly encodedText: string;
}

export type ProseOf = (count: number) => Prose;

/** Answers are the same for the same length, so the usual lengths are made once. */
export function createProse(): ProseOf {
  const made = new Map<number, Prose>();
  return (count) => {
    const known = made.get(count);
    if (known) return known;
    const fresh = proseOf(Array.from({ length: count }, (_, index) => tokens[index % tokens.length] ?? ''));
    if (count <= 4_096 && made.size < 256) made.set(count, fresh);
    return fresh;
  };
}

export function proseOf(pieces: readonly string[]): Prose {
  const text = pieces.join('');
  return {
    pieces,
    encoded: pieces.map((piece) => JSON.stringify(piece)),
    text,
    encodedText: JSON.stringify(text),
  };
}
