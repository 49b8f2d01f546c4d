/** The text of a `/metrics`, looked into by name. A page may have ten thousand lines; only what is asked for is parsed. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Samples {
  readonly #linesByName = new Map<string, string[]>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0];
      if (name === undefined) continue;
      const lines = this.#linesByName.get(name);
      if (lines) lines.push(line);
      else this.#linesByName.set(name, [line]);
    }
  }

  /** Lines that make no sense are passed over. */
  of(name: string): Sample[] {
    return (this.#linesByName.get(name) ?? []).flatMap((line) => {
      const labelsEnd = line.lastIndexOf('}') + 1 || name.length;
      const value = Number(line.slice(labelsEnd).trim().split(' ', 1)[0] || Number.NaN);
      return Number.isNaN(value) ? [] : [{ labels: labelsOf(line.slice(name.length, labelsEnd)), value }];
    });
  }

  /** The only or first one; undefined: there is none. */
  value(name: string): number | undefined {
    return this.of(name)[0]?.value;
  }
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter));
  }
  return labels;
}
