import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Ready } from '../../src/roles/lifecycle.ts';
import { until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { freePort, startServer } from '../support/redis.ts';
import { composeFolder, mountsOf, readCompose } from './support/compose-file.ts';
import { root } from './support/manifests.ts';

const { services } = readCompose();
const main = join(root, 'src/main.ts');

/**
 * The processes of compose.yaml without containers: their own commands, variables, secrets and configuration, in which
 * names of services become ports of this machine, and paths in the containers those of files here.
 */
class Machine {
  readonly #context: TestContext;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  readonly #compose = join(this.#folder, 'deploy/compose');
  readonly #secrets = join(this.#compose, 'secrets');
  /** What stands in the files, and what it is here. */
  readonly #places = new Map<string, string>();

  constructor(context: TestContext) {
    this.#context = context;
    context.after(() => rmSync(this.#folder, { recursive: true, force: true }));
    // The scripts write beside themselves.
    cpSync(composeFolder, this.#compose, { recursive: true, filter: (path) => !path.endsWith('/secrets') });
    cpSync(join(composeFolder, '../redis.acl.example'), join(this.#compose, '../redis.acl.example'));
    assert.equal(spawnSync('sh', [join(this.#compose, 'secrets.sh')]).status, 0);
    this.#places.set('/run/secrets/', `${this.#secrets}/`);
  }

  secret(name: string): string {
    return readFileSync(join(this.#secrets, name), 'utf8').trim();
  }

  /** Reached at an address that is not this machine's loopback, if there is one: Redis treats that differently. */
  async redis(name: string): Promise<void> {
    const port = await freePort();
    const service = this.#service(name);
    const places = new Map([['/data', this.#newFolder(`${name}-data`)]]);
    for (const { source, target } of mountsOf(service)) {
      if (target === '/data') continue;
      const text = readFileSync(join(composeFolder, source), 'utf8');
      const [, folder = ''] = /^dir (.*)$/m.exec(text) ?? [];
      assert.ok(
        service.tmpfs?.some((path) => path.split(':')[0] === folder),
        `${folder} is not there`,
      );
      places.set(target, join(this.#folder, `${name}.conf`));
      writeFileSync(join(this.#folder, `${name}.conf`), text.replace(folder, this.#newFolder(`${name}-dir`)));
    }
    const [, ...words] = service.command;
    const parameters = words.map((word) => places.get(word) ?? this.#here(word));
    const server = await startServer(port, [...parameters, '--port', String(port)]);
    this.#context.after(() => server.stop());
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal);
    this.#places.set(`@${name}:6379`, `@${outside?.address ?? '127.0.0.1'}:${port}`);
    const url = join(this.#secrets, `${name}-url`);
    const text = this.#here(readFileSync(url, 'utf8'));
    rmSync(url);
    writeFileSync(url, text);
  }

  /** @returns its addresses */
  async role(name: string, ports: Readonly<Record<string, string>>): Promise<Ready['listening']> {
    const { command, environment = {} } = this.#service(name);
    const env = Object.entries(environment).map(([variable, value]) => [variable, this.#here(value)]);
    const child = fork(
      main,
      command.map((text) => ports[text] ?? text),
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        env: { PATH: process.env.PATH, ...Object.fromEntries(env), ...ports, LOG_FILE: '/dev/null' },
      },
    );
    this.#context.after(() => end(child));
    const [{ listening }] = (await once(child, 'message')) as [Ready];
    return listening;
  }

  /** sluice.yaml, with the server at its address here. */
  configure(simulator: string): void {
    const text = readFileSync(join(composeFolder, 'sluice.yaml'), 'utf8');
    assert.ok(text.includes('http://simulator:8000'));
    const file = join(this.#folder, 'sluice.yaml');
    writeFileSync(file, text.replace('http://simulator:8000', simulator));
    this.#places.set('/etc/sluice/sluice.yaml', file);
  }

  /** up.sh, with a `docker` that runs here what it would run in the gateway. @returns what it has said */
  up(adminUrl: string | undefined): string {
    const programs = join(this.#folder, 'programs');
    mkdirSync(programs, { recursive: true });
    const docker = `#!/bin/sh
test "$4" != exec || { shift 6; cd ${root}; exec "$@"; }\n`;
    writeFileSync(join(programs, 'docker'), docker, { mode: 0o755 });
    const { status, stdout, stderr } = spawnSync('sh', [join(this.#compose, 'up.sh')], {
      encoding: 'utf8',
      env: {
        PATH: `${programs}:${dirname(process.execPath)}:${process.env.PATH}`,
        SLUICE_ADMIN_URL: adminUrl,
        SLUICE_ADMIN_TOKEN_FILE: join(this.#secrets, 'admin-token'),
      },
    });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  #newFolder(name: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    return folder;
  }

  #service(name: string) {
    return services[name] ?? assert.fail(`no service ${name}`);
  }

  #here(text: string): string {
    return [...this.#places].reduce((place, [there, here]) => place.replace(there, here), text);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

test('what up.sh brings up works together: a first key, a stream, a job', {
  skip: missingPrograms('openssl'),
}, async (context) => {
  const machine = new Machine(context);
  await machine.redis('redis-limits');
  await machine.redis('redis-queue');
  const { api = '' } = await machine.role('simulator', { '0.0.0.0': '127.0.0.1', '8000': '0' });
  machine.configure(api);
  const anyPorts = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0' };
  const gateway = await machine.role('gateway-1', anyPorts);
  await machine.role('worker', anyPorts);

  const said = machine.up(gateway.admin);
  const key = machine.secret('first-key');
  assert.match(key, /^slc_/);
  assert.ok(!said.includes(key));
  assert.equal(machine.up(gateway.admin), said);
  assert.equal(machine.secret('first-key'), key);

  const call = (body: object, headers: object = {}) =>
    fetch(`${gateway.public}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4, ...body }),
    });

  const stream = await call({ model: 'any-name', stream: true });
  assert.equal(stream.status, 200);
  assert.match(await stream.text(), /data: \[DONE\]/);

  const job = await call({ model: 'demo' }, { prefer: 'respond-async' });
  assert.equal(job.status, 202);
  const place = new URL(job.headers.get('location') ?? '', gateway.public);
  const hasEnded = async () => {
    const answer = await fetch(place, { headers: { authorization: `Bearer ${key}`, prefer: 'wait=5' } });
    return ((await answer.json()) as { status: string }).status === 'completed';
  };
  await until(hasEnded, 'the job to be done', 30_000);
});
