/** The preparation script in a folder and on a PATH where everything is a stand-in, so that nothing is installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../deploy/prepare.mjs', import.meta.url));
const lock = (integrity: string) =>
  JSON.stringify({
    packages: { '': {}, 'node_modules/a': { integrity }, 'node_modules/b': { optional: true } },
  });
const redis7 = 'echo "Redis server v=7.0.15 sha=0"';

class Machine {
  readonly root: string;
  readonly bin: string;
  readonly binaries: string;
  readonly installed: string;

  constructor(context: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'sluice-prepare-'));
    context.after(() => rmSync(this.root, { recursive: true, force: true }));
    this.bin = join(this.root, 'bin');
    this.binaries = join(this.root, 'node_modules/.bin');
    this.installed = join(this.root, 'node_modules/.package-lock.json');
    mkdirSync(join(this.root, 'deploy'));
    mkdirSync(this.bin);
    copyFileSync(script, join(this.root, 'deploy/prepare.mjs'));
    writeFileSync(join(this.root, 'package-lock.json'), lock('one'));
    symlinkSync('/usr/bin/env', join(this.bin, 'env'));
  }

  /** A program that writes down how it was called and then does something. */
  has(name: string, does = ''): this {
    const text = `#!/bin/sh\necho "${name} $*" >> ${join(this.root, 'calls')}\n${does}\n`;
    writeFileSync(join(this.bin, name), text, { mode: 0o755 });
    return this;
  }

  hasNpm(node = 'echo v26.1.0'): this {
    const inBin = `/bin/mkdir -p ${this.binaries}; printf '#!/bin/sh\\n${node}\\n' > ${this.binaries}/node`;
    return this.has(
      'npm',
      `${inBin}; /bin/chmod +x ${this.binaries}/node; /bin/cp ${this.root}/package-lock.json ${this.installed}`,
    );
  }

  prepare(...options: string[]): { code: number | null; output: string; calls: string[] } {
    const calls = join(this.root, 'calls');
    rmSync(calls, { force: true });
    const command = [join(this.root, 'deploy/prepare.mjs'), ...options];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      env: { PATH: this.bin },
      encoding: 'utf8',
    });
    const made = existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().split('\n') : [];
    return {
      code: status,
      output: stdout + stderr,
      calls: made.filter((call) => !call.includes('--version')),
    };
  }
}

test('a fresh clone gets its packages once, and after that nothing is said or done', (context) => {
  const machine = new Machine(context).hasNpm().has('redis-server', redis7);
  const first = machine.prepare();
  assert.equal(first.code, 0, first.output);
  assert.match(first.output, /^Installing the npm packages.+\n$/);
  assert.deepEqual(first.calls, ['npm ci --include=dev --loglevel=error --no-audit --no-fund']);
  assert.deepEqual(machine.prepare(), { code: 0, output: '', calls: [] });
});

test('a changed lockfile is installed, one that was only touched is not', (context) => {
  const machine = new Machine(context).hasNpm().has('redis-server', redis7);
  machine.prepare();
  const later = new Date(Date.now() + 60_000);
  const lockfile = join(machine.root, 'package-lock.json');
  utimesSync(lockfile, later, later);
  assert.deepEqual(machine.prepare().calls, []);
  writeFileSync(lockfile, lock('two'));
  utimesSync(lockfile, later, later);
  assert.equal(machine.prepare().calls.length, 1);
});

test('an npm that fails is shown with what it said', (context) => {
  const machine = new Machine(context).has('npm', 'echo "the registry is away" >&2; exit 1');
  const { code, output } = machine.prepare();
  assert.equal(code, 1);
  assert.match(output, /the registry is away\nnpm ci failed\. .+\n$/);
  assert.doesNotMatch(output, /\bat .+prepare\.mjs/, 'no stack');
});

test('an npm that runs no scripts brings no Node: the remedy is said', (context) => {
  const machine = new Machine(context).hasNpm('exit 1').has('redis-server', redis7);
  const { code, output } = machine.prepare();
  assert.equal(code, 1);
  assert.match(output, /npm rebuild node --ignore-scripts=false/);
});

test('where the package has no Node that runs, one of the system that is new enough takes its place', (context) => {
  const machine = new Machine(context)
    .hasNpm('exit 1')
    .has('redis-server', redis7)
    .has('node', 'echo v26.0.0');
  assert.equal(machine.prepare().code, 0);
  assert.equal(existsSync(join(machine.binaries, 'node')), false);
});

test('Redis comes from apt without a service, and is found under the name that it has there', (context) => {
  const server = '#!/bin/sh\\ncase $0 in *redis-server) echo Redis server v=7.0.15;; *) exit 1;; esac\\n';
  const tools = (bin: string) =>
    `printf '${server}' > ${bin}/redis-check-rdb; /bin/chmod +x ${bin}/redis-check-rdb`;
  const machine = new Machine(context).hasNpm().has('sudo', 'shift; exec "$@"');
  machine.has('apt-get', tools(machine.bin));
  const { code, output, calls } = machine.prepare();
  assert.equal(code, 0, output);
  assert.match(output, /^Installing Redis: .*apt-get -q install -y --no-install-recommends redis-tools$/m);
  assert.equal(calls.filter((call) => call.startsWith('apt-get')).length, 1);
  assert.ok(existsSync(join(machine.binaries, 'redis-server')));
  assert.deepEqual(machine.prepare().calls, []);
});

test('package lists that are missing are fetched before the second attempt', (context) => {
  const machine = new Machine(context).hasNpm().has('sudo', 'shift; exec "$@"').has('apt-get', 'exit 100');
  const { code, output, calls } = machine.prepare();
  assert.equal(code, 1);
  const apt = calls.filter((call) => call.startsWith('apt-get')).map((call) => call.split(' ')[2]);
  assert.deepEqual(apt, ['install', 'update']);
  assert.match(output, /then run: sudo apt-get .*redis-tools\n$/);
});

test('valkey is as good; a server that is too old, and none at all, are errors with a remedy', (context) => {
  const machine = new Machine(context).hasNpm();
  const none = machine.prepare();
  assert.equal(none.code, 1);
  assert.match(none.output, /No redis-server is installed, and no package manager/);

  machine.has('redis-server', 'echo "Redis server v=6.0.16 sha=0"');
  const outdated = machine.prepare();
  assert.equal(outdated.code, 1);
  assert.match(outdated.output, /redis-server is version 6\.0\.16, and version 7 is needed/);

  machine.has('valkey-server', 'echo "Valkey server v=8.1.1 sha=0"');
  assert.equal(machine.prepare().code, 0);
});

test('programs that only tests use and that cannot be installed are named, and nothing fails', (context) => {
  const machine = new Machine(context).hasNpm().has('redis-server', redis7).has('apt-get', 'exit 100');
  machine.prepare();
  const { code, output } = machine.prepare('--tests');
  assert.equal(code, 0, output);
  assert.match(output, /^Tests with .*prometheus.* will be skipped/m);
});

test('a start asks for no program that only tests use', (context) => {
  const machine = new Machine(context).hasNpm().has('redis-server', redis7).has('apt-get');
  assert.deepEqual(
    machine.prepare().calls.filter((call) => call.startsWith('apt-get')),
    [],
  );
});
