/** What is wrong with a configuration, where, and how to put it right. */

export type Path = readonly (string | number)[];

/** A finding before it is known whether the file or a variable brought the value. */
export interface Finding {
  readonly path: Path;
  readonly problem: string;
  readonly remedy: string;
}

export interface Fault {
  /** The variable, or the file as it was named. */
  readonly source: string;
  /** Both count from 1; only for what stands in the file. */
  readonly line?: number;
  readonly column?: number;
  /** Such as `models[0].upstreams[1]`; empty where the source as a whole is meant. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** `models[0].upstreams[1]` */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** One line: `sluice.yaml:12:5 models[0].upstreams[1]: no upstream is named "gpu-9". Remedy: …` */
export function formatFault({ source, line, column, path, problem, remedy }: Fault): string {
  const place = line === undefined ? source : `${source}:${line}:${column}`;
  return `${place}${path === '' ? '' : ` ${path}`}: ${sentence(problem)} Remedy: ${sentence(remedy)}`;
}

const SHOWN_MAX = 60;

/** A name that somebody wrote, on one line and of bounded length. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}

function sentence(text: string): string {
  return /[.?]$/.test(text) ? text : `${text}.`;
}
