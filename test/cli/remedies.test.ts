import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { freePort } from '../support/redis.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;
let folder: string;

before(async () => {
  admin = await startAdmin();
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
});
after(async () => {
  await admin.stop();
  await rm(folder, { recursive: true });
});

function assertOneLine(stderr: string): void {
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  assert.doesNotMatch(stderr, /^ +at /m);
}

test('whatever stands between the command and the admin API is said in one line with a remedy', async (context) => {
  const elsewhere = createServer((_, response) => void response.end('<html>')).listen(0, '127.0.0.1');
  context.after(() => elsewhere.close());
  await once(elsewhere, 'listening');
  const away = `http://127.0.0.1:${await freePort()}`;
  const cases: [Record<string, string>, RegExp][] = [
    [
      { SLUICE_ADMIN_URL: away, SLUICE_ADMIN_TOKEN: TOKEN },
      /cannot reach .* Is the gateway running\? Set SLUICE_ADMIN_URL/,
    ],
    [{ SLUICE_ADMIN_URL: admin.url }, /no admin token\. Set SLUICE_ADMIN_TOKEN/],
    [
      { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: 'wrong' },
      /refuses the token\. Set SLUICE_ADMIN_TOKEN/,
    ],
    [
      { SLUICE_ADMIN_URL: addressOf(elsewhere), SLUICE_ADMIN_TOKEN: TOKEN },
      /is not an admin API\. Set SLUICE_ADMIN_URL/,
    ],
    [{ SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN_FILE: '/absent' }, /cannot read \/absent/],
  ];
  for (const [env, message] of cases) {
    const { exitCode, stderr, stdout } = await sluice(['keys', 'list'], { env });
    assert.equal(exitCode, 1);
    assert.match(stderr, message);
    assert.equal(stdout, '');
    assertOneLine(stderr);
  }
});

test('the admin API says itself what is wrong with a request', async () => {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const create = ['keys', 'create', '--tenant', 'a b', '--name', 'x'];
  for (const [parameters, message] of [
    [create, /tenant: must be/],
    [['keys', 'show', 'key_000000000000'], /key_000000000000/],
    [['keys', 'show', '../tenants'], /nothing under this id/],
    [['tenants', 'disable', 'nobody'], /nobody/],
    [
      ['tenants', 'create', 'a', '--burst-requests', '5'],
      /limits.burst_requests: must come with requests_per_minute/,
    ],
  ] as const) {
    const { exitCode, stderr } = await sluice(parameters, { env });
    assert.equal(exitCode, 1);
    assert.match(stderr, message);
    assertOneLine(stderr);
  }
});

test('wrong usage ends with 2 before anything is asked of anybody', async () => {
  const wrong = [
    [],
    ['frob'],
    ['keys'],
    ['keys', 'create'],
    ['keys', 'create', '--tenant', 'a', '--name', 'b', '--rpm', 'many'],
    ['keys', 'create', '--tenant', 'a', '--name', 'b', '--quota', 'week:requests=5'],
    ['keys', 'create', '--tenant', 'a', '--name', 'b', '--quota', 'day:frames=5'],
    ['keys', 'create', '--tenant', 'a', '--name', 'b', '--model', 'c:rpn=5'],
    ['keys', 'update', 'key_1', '--quota', 'day:requests=5', '--no-quotas'],
    ['tenants', 'create'],
    ['tenants', 'update', 'acme'],
    ['tenants', 'update', 'acme', '--model', 'a', '--all-models'],
  ];
  wrong.push(['keys', 'rotate', 'key_1', '--overlap', 'long'], ['keys', 'update', 'key_1'], ['keys', 'show']);
  wrong.push([
    'keys',
    'create',
    '--tenant',
    'a',
    '--name',
    'b',
    '--expires-in',
    '1d',
    '--expires-at',
    '2099-01-01',
  ]);
  for (const parameters of wrong) {
    const { exitCode, stderr, stdout } = await sluice(parameters);
    assert.equal(exitCode, 2, parameters.join(' '));
    assert.notEqual(stderr, '');
    assert.equal(stdout, '');
  }
});

test('help and version go to standard output, and end with 0', async () => {
  const help = await sluice(['--help']);
  assert.deepEqual([help.exitCode, help.stderr], [0, '']);
  for (const word of [
    'gateway',
    'simulator',
    'up',
    'keys',
    'tenants',
    'status',
    'config',
    'SLUICE_ADMIN_URL',
  ]) {
    assert.ok(help.stdout.includes(word), word);
  }
  assert.match((await sluice(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('what npm start left in this folder is enough, and its token goes to no other address', async (context) => {
  const home = join(folder, '.sluice');
  await mkdir(home);
  await writeFile(join(home, 'admin.json'), JSON.stringify({ url: admin.url, token: TOKEN }));
  await chmod(join(home, 'admin.json'), 0o600);
  assert.equal((await sluice(['tenants', 'list'], { cwd: folder })).exitCode, 0);
  assert.equal((await sluice(['tenants', 'list'], { env: { SLUICE_HOME: home } })).exitCode, 0);

  const tokens: (string | undefined)[] = [];
  const elsewhere = createServer(({ headers }, response) => {
    tokens.push(headers.authorization);
    response.end('{}');
  }).listen(0, '127.0.0.1');
  context.after(() => elsewhere.close());
  await once(elsewhere, 'listening');
  const env = { SLUICE_ADMIN_URL: addressOf(elsewhere) };
  assert.equal((await sluice(['tenants', 'list'], { cwd: folder, env })).exitCode, 1);
  assert.deepEqual(tokens, []);
});

test('a fault of the program itself is one line; SLUICE_DEBUG=1 shows where', async () => {
  const config = join(folder, 'absent.yaml');
  const plain = await sluice(['gateway'], { env: { SLUICE_CONFIG: config } });
  assert.equal(plain.exitCode, 1);
  assert.doesNotMatch(plain.stderr, /^ +at /m);
  const debug = await sluice(['gateway'], { env: { SLUICE_CONFIG: config, SLUICE_DEBUG: '1' } });
  assert.match(debug.stderr, /^ +at /m);
});

function addressOf(server: Server): string {
  const address = server.address();
  return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
}
