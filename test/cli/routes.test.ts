/** Whatever the admin API can do, a command does; scripts can read what every command says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Command } from 'commander';
import { routeRoles } from '../../src/admin/roles.ts';
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { pipes } from './pipes.ts';

/** By route, a command that asks it first. */
const commands: Readonly<Record<string, string>> = {
  'GET /admin/v1/keys': 'keys list',
  'POST /admin/v1/keys': 'keys create --tenant acme --name web',
  'GET /admin/v1/keys/:id': 'keys show key_1',
  'PATCH /admin/v1/keys/:id': 'keys update key_1 --name new',
  'DELETE /admin/v1/keys/:id': 'keys revoke key_1',
  'POST /admin/v1/keys/:id/rotate': 'keys rotate key_1',
  'POST /admin/v1/keys/import': 'keys import FILE --prefix pre- --format ndjson',
  'GET /admin/v1/keys/:id/signing-keys': 'keys signing list key_1',
  'PUT /admin/v1/keys/:id/signing-keys': 'keys signing add key_1 --hmac',
  'DELETE /admin/v1/keys/:id/signing-keys/:signing_key': 'keys signing remove key_1 sig_1',
  'GET /admin/v1/tenants': 'tenants list',
  'POST /admin/v1/tenants': 'tenants create acme',
  'GET /admin/v1/tenants/:name': 'tenants show acme',
  'PATCH /admin/v1/tenants/:name': 'tenants update acme --weight 2',
  'GET /admin/v1/tenants/:name/webhook': 'webhooks show acme',
  'PUT /admin/v1/tenants/:name/webhook': 'webhooks set acme --url https://example.com/',
  'DELETE /admin/v1/tenants/:name/webhook': 'webhooks remove acme',
  'POST /admin/v1/tenants/:name/webhook/rotate-secret': 'webhooks rotate-secret acme',
  'GET /admin/v1/webhooks/dead': 'webhooks list-dead',
  'GET /admin/v1/webhooks/events/:id': 'webhooks show-event evt_1',
  'POST /admin/v1/webhooks/replay': 'webhooks replay evt_1',
  'GET /admin/v1/upstreams': 'upstreams list',
  'POST /admin/v1/upstreams/:name/drain': 'upstreams drain gpu-1',
  'POST /admin/v1/upstreams/:name/resume': 'upstreams resume gpu-1',
  'GET /admin/v1/models': 'models list',
  'GET /admin/v1/policies': 'policies list',
  'GET /admin/v1/jobs': 'jobs list',
  'GET /admin/v1/jobs/queue': 'jobs queue',
  'GET /admin/v1/jobs/:id': 'jobs show job_1',
  'POST /admin/v1/jobs/:id/cancel': 'jobs cancel job_1',
  'POST /admin/v1/jobs/:id/retry': 'jobs retry job_1',
  'POST /admin/v1/jobs/drain': 'jobs drain',
  'POST /admin/v1/jobs/resume': 'jobs resume',
  'GET /admin/v1/usage': 'usage show --tenant acme',
  'GET /admin/v1/usage/calls': 'usage calls --tenant acme',
  'GET /admin/v1/admins': 'admins list',
  'POST /admin/v1/admins': 'admins create --name eve --role viewer',
  'GET /admin/v1/admins/:id': 'admins show adm_1',
  'PATCH /admin/v1/admins/:id': 'admins update adm_1 --role operator',
  'DELETE /admin/v1/admins/:id': 'admins revoke adm_1',
  'POST /admin/v1/admins/:id/rotate': 'admins rotate adm_1',
  'GET /admin/v1/audit': 'audit list',
  'POST /admin/v1/config/reload': 'config reload',
  'POST /admin/v1/installation/accept': 'installation accept',
};

/** Pages for a browser, which do nothing that `jobs` does not do. */
const withoutCommand = ['GET /admin/queues', 'GET /admin/queues/*'];

const asked: string[] = [];
let recorder: Server;
let folder: string;
let env: NodeJS.ProcessEnv;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-routes-'));
  await writeFile(join(folder, 'keys.ndjson'), '{"key":"pre-0123456789","tenant":"acme","name":"one"}\n');
  recorder = createServer(({ method, url = '' }, response) => {
    asked.push(`${method} ${url.split('?')[0]}`);
    response.statusCode = 404;
    response.end('{"error":{"message":"recorded"}}');
  }).listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  const address = recorder.address();
  const port = typeof address === 'object' ? address?.port : 0;
  env = {
    SLUICE_ADMIN_URL: `http://127.0.0.1:${port}`,
    SLUICE_ADMIN_TOKEN: 'a-token',
    SLUICE_HOME: folder,
  };
});
after(async () => {
  recorder.closeAllConnections();
  recorder.close();
  await rm(folder, { recursive: true });
});

test('every route of the admin API has a command', () => {
  const routes = [...routeRoles.keys()].filter((route) => !withoutCommand.includes(route));
  assert.deepEqual(Object.keys(commands).sort(), routes.sort());
});

test('and that command asks that route', async () => {
  for (const [route, command] of Object.entries(commands)) {
    asked.length = 0;
    const one = pipes(env);
    const argv = command.split(' ').map((word) => (word === 'FILE' ? join(folder, 'keys.ndjson') : word));
    assert.equal(await runProgram(argv, one), 1, `${command}: ${one.stderrText()}`);
    const pattern = new RegExp(`^${route.replaceAll(/:\w+/g, '[^/]+')}$`);
    assert.match(asked[0] ?? 'nothing', pattern, command);
  }
});

test('every command that says something can say it as JSON, or in a format for programs', () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const mute = leaves(createProgram(pipes(env), () => {})).filter(
    ({ options }) => !options.some(({ long }) => long === '--json' || long === '--format'),
  );
  assert.deepEqual(
    mute.map((command) => command.name()),
    ['completion'],
  );
});
