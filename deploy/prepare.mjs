/**
 * What `npm start` and `npm test` need before they run: the npm packages, a Node that runs TypeScript, and a
 * Redis server; with `--tests` also the programs that tests run beside them. It has no dependencies and runs on
 * Node 20. With nothing to do it says nothing.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 26;
const REDIS_MAJOR = 7;
const INSTALL_TIMEOUT_MS = 15 * 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const projectBinaries = join(modules, '.bin');
const lockfile = join(root, 'package-lock.json');
/** npm writes it last: it is missing after an installation that was broken off. */
const installed = join(modules, '.package-lock.json');

/** The folders of PATH that are the system's: npm puts the project's own before them. */
const systemFolders = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => folder !== '' && !folder.endsWith(join('node_modules', '.bin')));
const systemEnv = { ...process.env, PATH: systemFolders.join(delimiter) };

class Problem extends Error {}

// npm packages

function preparePackages() {
  if (packagesAreCurrent()) return;
  const npm = find('npm', systemFolders);
  if (!npm) throw new Problem('npm is not on PATH. Install Node.js with npm, version 20 or newer.');
  say('Installing the npm packages (npm ci); the first time it takes a minute …');
  // Also where NODE_ENV is production: Node itself is a development dependency.
  const command = ['ci', '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'];
  let result = run(npm, command);
  if (!result.ok && systemNodeSuffices()) {
    // The package that brings Node has none for this platform, and here it is not needed.
    result = run(npm, [...command, '--ignore-scripts']);
  }
  if (!result.ok)
    throw new Problem(`${result.output}\nnpm ci failed. Remedy what it says above, then try again.`);
}

function packagesAreCurrent() {
  if (!existsSync(installed)) return false;
  if (statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return true;
  // A checkout or a copy touches the lockfile without changing it.
  if (!sameVersions()) return false;
  const now = new Date();
  utimesSync(installed, now, now);
  return true;
}

function sameVersions() {
  const wanted = readPackages(lockfile);
  const present = readPackages(installed);
  const fits = ([path, { integrity, optional }]) =>
    path === '' || (present[path] ? present[path].integrity === integrity : optional === true);
  return (
    Object.entries(wanted).every(fits) && Object.keys(present).every((path) => wanted[path] !== undefined)
  );
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

// Node

/** npm puts node_modules/.bin first on PATH: the Node there runs everything, if there is one. */
function prepareNode() {
  const pinned = join(projectBinaries, 'node');
  if (nodeMajor(pinned) >= NODE_MAJOR) return;
  if (systemNodeSuffices()) {
    rmSync(pinned, { force: true });
    return;
  }
  throw new Problem(
    `The npm package "node" has brought no Node ${NODE_MAJOR} that runs here. If npm is set to ignore scripts, ` +
      'run: npm rebuild node --ignore-scripts=false. ' +
      `Else install Node ${NODE_MAJOR} from https://nodejs.org and try again.`,
  );
}

function systemNodeSuffices() {
  return systemFolders.some((folder) => nodeMajor(join(folder, 'node')) >= NODE_MAJOR);
}

function nodeMajor(path) {
  if (!isExecutable(path)) return 0;
  const { ok, output } = run(path, ['--version']);
  return ok ? Number.parseInt(output.slice(1), 10) : 0;
}

// Redis

function prepareRedis() {
  const found = findRedis();
  if (found.path) return;
  if (found.outdated) {
    throw new Problem(
      `${found.outdated}, and version ${REDIS_MAJOR} is needed. Install it from https://redis.io or ` +
        'https://valkey.io, and put it first on PATH.',
    );
  }
  for (const manager of packageManagers) {
    const tool = find(manager.tool, systemFolders);
    if (tool) return installRedis(manager, tool);
  }
  throw new Problem(
    `No redis-server is installed, and no package manager that is known here. Install Redis ${REDIS_MAJOR} ` +
      'or newer (https://redis.io) or Valkey (https://valkey.io) and put it on PATH.',
  );
}

/**
 * None of these starts a service. On Debian and Ubuntu the package redis-server would, on every boot; the same
 * program comes, under another name, in the package redis-tools, which has no service.
 */
const packageManagers = [
  {
    tool: 'apt-get',
    asRoot: true,
    attempts: [
      ['apt-get -q install -y --no-install-recommends redis-tools'],
      ['apt-get -q update', 'apt-get -q install -y --no-install-recommends redis-tools'],
    ],
    env: ['DEBIAN_FRONTEND=noninteractive'],
  },
  { tool: 'dnf', asRoot: true, attempts: [['dnf install -y valkey'], ['dnf install -y redis']], env: [] },
  {
    tool: 'apk',
    asRoot: true,
    attempts: [['apk add --no-cache redis'], ['apk add --no-cache valkey']],
    env: [],
  },
  { tool: 'brew', asRoot: false, attempts: [['brew install redis']], env: ['HOMEBREW_NO_AUTO_UPDATE=1'] },
];

function installRedis({ asRoot, attempts, env }) {
  const prefix = rightsFor(asRoot);
  const last = attempts.at(-1) ?? [];
  const byHand = last.map((command) => (asRoot ? `sudo ${command}` : command)).join(' && ');
  if (!prefix) throw new Problem(`No redis-server is installed. Install it with: ${byHand}`);
  let output = '';
  for (const commands of attempts) {
    for (const command of commands) {
      say(`Installing Redis: ${[...prefix, command].join(' ')}`);
      const [program, ...args] = [...prefix, 'env', ...env, ...command.split(' ')];
      const result = run(program, args);
      output += result.output;
      if (!result.ok) break;
    }
    const found = findRedis();
    if (found.path) return;
    if (found.outdated) return prepareRedis();
  }
  throw new Problem(
    `${output}\nRedis could not be installed. Remedy what it says above, then run: ${byHand}`,
  );
}

// What only tests use

/** Where Debian keeps servers, off the PATH of users. */
const serverFolders = ['/usr/sbin'];

/** Programs of Debian against which the deployment files are tried, and the packages that bring them. */
const testPrograms = {
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  prometheus: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  openssl: 'openssl',
  curl: 'curl',
};

/**
 * Never fails: a test whose program is missing is skipped and says so. Installed only as root and where no systemd
 * runs (a container, a CI machine), because elsewhere these packages would start services that nobody asked for.
 */
function prepareTestPrograms() {
  const missing = Object.keys(testPrograms).filter(
    (name) => !find(name, [...systemFolders, ...serverFolders]),
  );
  if (missing.length === 0) return;
  const packages = missing.map((name) => testPrograms[name]);
  const install = `apt-get -q install -y --no-install-recommends ${packages.join(' ')}`;
  const mayInstall =
    process.getuid?.() === 0 && find('apt-get', systemFolders) && !existsSync('/run/systemd/system');
  if (!mayInstall) {
    return say(`Tests with ${missing.join(', ')} will be skipped. To run them too: sudo ${install}`);
  }
  for (const command of [install, 'apt-get -q update', install]) {
    say(`Installing what tests use: ${command}`);
    const { ok } = run('env', ['DEBIAN_FRONTEND=noninteractive', ...command.split(' ')]);
    if (ok && command === install) return;
  }
  say(`Tests with ${missing.join(', ')} will be skipped: they could not be installed.`);
}

/** What stands before a command that changes the system; undefined: it may not be run. */
function rightsFor(asRoot) {
  if (!asRoot || process.getuid?.() === 0) return [];
  return find('sudo', systemFolders) && run('sudo', ['-n', 'true']).ok ? ['sudo', '-n'] : undefined;
}

function findRedis() {
  let outdated;
  for (const name of ['redis-server', 'valkey-server']) {
    for (const path of candidates(name)) {
      const version = redisVersion(path);
      if (Number.parseInt(version, 10) >= REDIS_MAJOR) return { path };
      if (version) outdated ??= `${path} is version ${version}`;
    }
  }
  return { outdated };
}

function candidates(name) {
  const folders = [projectBinaries, ...systemFolders];
  const link = join(projectBinaries, name);
  if (!find(name, folders)) linkToolsServer(name, link);
  return folders.map((folder) => join(folder, name)).filter(isExecutable);
}

/** The server decides by the name under which it is called what it is; redis-tools names it after the check. */
function linkToolsServer(name, link) {
  const server = find(name.replace('server', 'check-rdb'), systemFolders);
  if (!server || !existsSync(projectBinaries)) return;
  rmSync(link, { force: true });
  symlinkSync(server, link);
  if (!redisVersion(link)) rmSync(link, { force: true });
}

function redisVersion(path) {
  return /\bserver v=([\d.]+)/i.exec(run(path, ['--version']).output)?.[1];
}

// Processes

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    env: systemEnv,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: INSTALL_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  return { ok: status === 0, output: error ? error.message : `${stdout}${stderr}`.trim() };
}

function find(name, folders) {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

try {
  preparePackages();
  prepareNode();
  prepareRedis();
  if (process.argv.includes('--tests')) prepareTestPrograms();
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
