/**
 * Carries out a Dockerfile without a container engine: every stage is a folder, COPY copies into it as .dockerignore
 * allows, RUN runs there. Knows the instructions that ours has, and refuses any other.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';

export interface Image {
  /** Its root folder. */
  readonly folder: string;
  readonly base: string;
  workdir: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  user: string | undefined;
  ports: string[];
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

interface Instruction {
  readonly name: string;
  readonly text: string;
}

interface Build {
  readonly context: string;
  /** Becomes the parent of the stages' folders. */
  readonly scratch: string;
  readonly stages: Map<string, Image>;
  readonly arguments: Map<string, string>;
}

/** The whole of a file, continued lines joined, in order. */
export function instructionsOf(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const joined = lines.join('\n').replace(/\\\n\s*/g, '');
  return joined.split('\n').map((line) => {
    const [name = '', ...rest] = line.split(' ');
    return { name, text: rest.join(' ').trim() };
  });
}

/** @returns the last stage. @throws where a step fails or is not known */
export function buildImage(context: string, scratch: string): Image {
  const build: Build = { context, scratch, stages: new Map(), arguments: new Map() };
  let image: Image | undefined;
  for (const { name, text } of instructionsOf(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    if (name === 'ARG') setArgument(build, text);
    else if (name === 'FROM') image = beginStage(build, text);
    else if (image) carryOut(build, image, name, text);
    else throw new Error(`${name} stands before FROM`);
  }
  if (!image) throw new Error('no stage');
  return image;
}

function setArgument(build: Build, text: string): void {
  const [name = '', value = ''] = text.split('=');
  build.arguments.set(name, value);
}

function beginStage(build: Build, text: string): Image {
  const [from = '', , name] = text.split(' ');
  const base = from.replace(
    /\$\{(\w+)\}/g,
    (_found, argument: string) => build.arguments.get(argument) ?? '',
  );
  const folder = join(build.scratch, `stage-${build.stages.size}`);
  mkdirSync(join(folder, 'usr/local/bin'), { recursive: true });
  const image: Image = {
    ...{ folder, base, workdir: '/', env: {}, labels: {}, user: undefined },
    ...{ ports: [], entrypoint: [], command: [], healthcheck: [] },
  };
  build.stages.set(name ?? String(build.stages.size), image);
  return image;
}

function carryOut(build: Build, image: Image, name: string, text: string): void {
  switch (name) {
    case 'WORKDIR':
      image.workdir = text;
      mkdirSync(join(image.folder, text), { recursive: true });
      return;
    case 'ENV':
      Object.assign(image.env, pairsOf(text));
      return;
    case 'LABEL':
      Object.assign(image.labels, pairsOf(text));
      return;
    case 'COPY':
      return copy(build, image, text.split(' '));
    case 'RUN':
      return run(image, text);
    case 'USER':
      image.user = text;
      return;
    case 'EXPOSE':
      image.ports = text.split(' ');
      return;
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(text);
      return;
    case 'CMD':
      image.command = JSON.parse(text);
      return;
    case 'HEALTHCHECK':
      image.healthcheck = JSON.parse(text.slice(text.indexOf('CMD ') + 4));
      return;
    default:
      throw new Error(`${name} is not known here`);
  }
}

/** `name=value name="more words"` */
function pairsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)];
  return Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name, quoted ?? plain]));
}

function copy(build: Build, image: Image, words: readonly string[]): void {
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = paths.at(-1) ?? '';
  const isAllowed =
    from === undefined ? allowedBy(readFileSync(join(build.context, '.dockerignore'), 'utf8')) : () => true;
  const source = from === undefined ? build.context : build.stages.get(from)?.folder;
  if (source === undefined) throw new Error(`no stage ${from}`);
  for (const path of paths.slice(0, -1)) {
    if (!isAllowed(path)) throw new Error(`${path} is left out by .dockerignore`);
    const place = join(image.folder, image.workdir, target, target.endsWith('/') ? path : '');
    // Of a stage it is moved, which is quicker: nobody asks that stage again.
    if (from === undefined) cpSync(join(source, path), place, { recursive: true });
    else renameSync(join(source, path), place);
  }
}

/** Of an ignore file that leaves out everything and lets in what lies at the top. @throws on any other pattern */
function allowedBy(text: string): (path: string) => boolean {
  const [first, ...patterns] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || !patterns.every((pattern) => /^![\w.-]+$/.test(pattern))) {
    throw new Error('.dockerignore has a pattern that is not known here');
  }
  return (path) => patterns.includes(`!${path.split('/')[0]}`);
}

/** From npm's cache where it has the packages. What an `npm test` around it has set would change what npm does. */
function run(image: Image, command: string): void {
  const outer = Object.entries(process.env).filter(
    ([name]) => !/^npm_|^INIT_CWD$|^NODE_ENV$|^NODE_TEST/i.test(name),
  );
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: join(image.folder, image.workdir),
    env: { ...Object.fromEntries(outer), ...image.env, npm_config_prefer_offline: 'true' },
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
}

/** Puts the Node that runs here where the base image has its own, and takes everybody's right to write away. */
export function finishImage(image: Image): void {
  const node = join(image.folder, 'usr/local/bin/node');
  try {
    linkSync(process.execPath, node);
  } catch {
    copyFileSync(process.execPath, node);
  }
  for (const entry of readdirSync(image.folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path === node || entry.isSymbolicLink()) continue;
    chmodSync(path, entry.isDirectory() ? 0o555 : 0o444);
  }
  if (!existsSync(node)) throw new Error('no Node');
}
