import { type InspectColor, styleText } from 'node:util';

/** What a command may touch of the process that it runs in. */
export type Terminal = Pick<NodeJS.Process, 'env' | 'stdin' | 'stdout' | 'stderr'>;

export function printLine({ stdout }: Terminal, text: string): void {
  stdout.write(`${text}\n`);
}

/** For people only: a script that reads the output does not see it. */
export function printNote({ stderr }: Terminal, text: string): void {
  stderr.write(`${text}\n`);
}

export function printJson(terminal: Terminal, value: unknown): void {
  printLine(terminal, JSON.stringify(value, null, 2));
}

export interface Column<Row> {
  readonly title: string;
  text(row: Row): string;
  color?(row: Row): InspectColor | undefined;
  /** Numbers stand under each other by their last digit. */
  readonly alignRight?: boolean;
}

const GAP = '  ';

/** Columns side by side, as wide as their widest cell. Colours only where a person sees them. */
export function printTable<Row>(
  terminal: Terminal,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): void {
  // At once: a write for each of ten thousand lines would take longer than to ask for them.
  printLine(terminal, tableLines(terminal, rows, columns).join('\n'));
}

/** Heading and rows. */
export function tableLines<Row>(
  terminal: Terminal,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): string[] {
  const cells = rows.map((row) => columns.map((column) => plain(column.text(row))));
  const widths = columns.map(({ title }, index) => {
    return cells.reduce((width, line) => Math.max(width, widthOf(line[index] ?? '')), title.length);
  });
  const aligned = (index: number, text: string, shown = text) => {
    const padding = ' '.repeat((widths[index] ?? 0) - widthOf(text));
    const isLast = index === columns.length - 1;
    if (columns[index]?.alignRight) return padding + shown + (isLast ? '' : GAP);
    return isLast ? shown : shown + padding + GAP;
  };

  const heading = columns.map(({ title }, index) => aligned(index, title)).join('');
  const lines = rows.map((row, rowIndex) => {
    const line = columns.map(({ color }, index) => {
      const text = cells[rowIndex]?.[index] ?? '';
      return aligned(index, text, colored(terminal, color?.(row), text));
    });
    return line.join('').trimEnd();
  });
  return [heading, ...lines];
}

/** One thing, a field on each line. */
export function printFields(terminal: Terminal, fields: Readonly<Record<string, string>>): void {
  const width = Object.keys(fields).reduce((widest, name) => Math.max(widest, name.length), 0);
  for (const [name, value] of Object.entries(fields)) {
    printLine(terminal, `${name.padEnd(width)}${GAP}${plain(value)}`);
  }
}

/** Only where a person sees it. */
export function colored({ stdout, env }: Terminal, color: InspectColor | undefined, text: string): string {
  if (color === undefined || !stdout.isTTY || env.NO_COLOR) return text;
  return styleText(color, text, { validateStream: false });
}

/** Names come from others; what would steer the terminal is not shown. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** The beginning of a line that may have colours in it, at most so wide. */
export function cut(line: string, width: number): string {
  let left = width;
  let kept = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what begins a colour.
  for (const piece of line.match(/\x1b\[[0-9;]*m|./gu) ?? []) {
    const isColor = piece.startsWith('\x1b');
    if (!isColor) left -= widthOf(piece);
    if (isColor || left >= 0) kept += piece;
  }
  return kept;
}

/** Chinese, Japanese and Korean letters take two places. */
export function widthOf(text: string): number {
  const wide =
    /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
  return [...text].reduce((width, letter) => width + (wide.test(letter) ? 2 : 1), 0);
}
