import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { freePort, startRedis, type TestRedis } from '../support/redis.ts';
import { buildImage, finishImage, type Image, instructionsOf } from './support/image.ts';
import { root } from './support/manifests.ts';

/**
 * The Dockerfile's steps are carried out in a scratch folder, whose processes then run as the image's user, who may
 * write nowhere in it.
 */
const scratch = mkdtempSync(join(tmpdir(), 'sluice-image-'));
const isRoot = process.getuid?.() === 0;
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
let image: Image;
let redis: TestRedis;

before(async () => {
  chmodSync(scratch, 0o755);
  image = buildImage(root, scratch);
  finishImage(image);
  redis = await startRedis();
});

after(async () => {
  await redis?.stop();
  spawnSync('chmod', ['-R', 'u+w', scratch]);
  rmSync(scratch, { recursive: true, force: true });
});

type Packages = Record<string, { version: string; license?: string; integrity?: string }>;

interface Container {
  readonly child: ChildProcess;
  readonly adminUrl: string;
  readonly env: Record<string, string>;
  readonly said: () => string;
}

/** Only root may become another user; anybody else is no root already. */
function asUser(command: readonly string[]): string[] {
  const [uid, gid] = image.user?.split(':') ?? [];
  return isRoot
    ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...command]
    : [...command];
}

async function start(
  context: TestContext,
  given: { command?: string[]; around?: string[] } = {},
): Promise<Container> {
  const port = await freePort();
  const env = {
    PATH: `${join(image.folder, 'usr/local/bin')}:/usr/bin:/bin`,
    ...image.env,
    ...{ PORT: '0', ADMIN_PORT: String(port), REDIS_URL: redis.url, SLUICE_SECRET: 's'.repeat(32) },
  };
  const inside = asUser([...image.entrypoint, ...(given.command ?? image.command)]);
  const [program = '', ...args] = [...(given.around ?? []), ...inside];
  const child = spawn(program, args, {
    cwd: join(image.folder, image.workdir),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  context.after(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (said += piece));
  const adminUrl = `http://127.0.0.1:${port}`;
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
      return fetch(`${adminUrl}/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
    },
    'the process to be ready',
    30_000,
  );
  return { child, adminUrl, env, said: () => said };
}

function checkHealth({ env }: Container): number | null {
  const [program = '', ...args] = asUser(image.healthcheck);
  return spawnSync(program, args, { cwd: join(image.folder, image.workdir), env, timeout: 10_000 }).status;
}

test('the image holds what runs, and nothing else', () => {
  assert.deepEqual(readdirSync(join(image.folder, image.workdir)).sort(), [
    'LICENSE',
    'node_modules',
    'package-lock.json',
    'package.json',
    'src',
  ]);
  const packages = readdirSync(join(image.folder, image.workdir, 'node_modules'));
  assert.ok(packages.includes('fastify'));
  for (const forDevelopment of ['typescript', '@biomejs', 'node', 'kubernetes-models', 'openai'])
    assert.ok(!packages.includes(forDevelopment), forDevelopment);
});

test('what lists its contents finds version, licence and checksum of every package', () => {
  const inside = join(image.folder, image.workdir);
  const read = (path: string) => JSON.parse(readFileSync(join(inside, path), 'utf8'));
  const locked: Packages = read('package-lock.json').packages;
  const installed = Object.keys(read('node_modules/.package-lock.json').packages as Packages);
  assert.ok(installed.length > 50);
  for (const path of installed) {
    const { name, version } = read(join(path, 'package.json')) as { name: string; version: string };
    assert.ok(path.endsWith(`node_modules/${name}`), path);
    assert.equal(locked[path]?.version, version, path);
    assert.ok(locked[path]?.license && locked[path]?.integrity, path);
  }
});

test('its base is pinned, to the Node of the lockfile, in every stage', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  assert.equal(image.base, `node:${lock.packages['node_modules/node'].version}-bookworm-slim`);
  const instructions = instructionsOf(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  for (const { text } of instructions.filter(({ name }) => name === 'FROM'))
    assert.match(text, /^\$\{NODE_IMAGE\}/);
});

test('it says what it is, and its version is that of the package', () => {
  const label = (name: string) => image.labels[`org.opencontainers.image.${name}`];
  assert.equal(label('version'), version);
  assert.equal(label('licenses'), 'Apache-2.0');
  assert.ok(label('title') && label('description'));
  assert.deepEqual(image.ports, ['8080', '8081', '8082']);
});

test('the gateway runs as nobody who may write, answers, is found healthy, and drains on SIGTERM', async (context) => {
  assert.match(image.user ?? '', /^[1-9]\d*:[1-9]\d*$/);
  const gateway = await start(context);
  const { child, adminUrl, said } = gateway;
  assert.equal((await fetch(`${adminUrl}/live`)).status, 200);
  if (isRoot) {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    assert.match(status, new RegExp(`^Uid:\\s${image.user?.split(':')[0]}\\s`, 'm'));
  }
  assert.equal(checkHealth(gateway), 0);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.match(said(), /"phase":"done"/);
  assert.doesNotMatch(said(), /EACCES|EROFS|EPERM/);
  assert.equal(checkHealth(gateway), 1);
});

test('the same image is a worker, which is found healthy on its own port too', async (context) => {
  const worker = await start(context, { command: ['worker'] });
  assert.equal(checkHealth(worker), 0);
  worker.child.kill('SIGTERM');
  assert.deepEqual(await once(worker.child, 'exit'), [0, null]);
});

test('as the first process of a container it obeys SIGTERM', { skip: noNamespaces() }, async (context) => {
  const around = ['unshare', '--pid', '--fork', '--kill-child'];
  const { child } = await start(context, { around });
  const first = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
  assert.match(readFileSync(`/proc/${first}/status`, 'utf8'), /^NSpid:.*\t1$/m);
  process.kill(first, 'SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

function noNamespaces(): string | false {
  const missing = missingPrograms('unshare', 'setpriv');
  if (missing) return missing;
  return spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0
    ? false
    : 'namespaces are not allowed here';
}
