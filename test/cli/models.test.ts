/** `models list` shows which servers answer for which name; `config reload` what has changed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../support/gateway.ts';
import { sluice } from './run.ts';

let gateway: TestGateway;

before(async () => {
  gateway = await startGateway({
    makeKey: false,
    config: {
      upstreams: [
        { name: 'one', url: 'http://127.0.0.1:9', labels: { zone: 'a' }, max_in_flight: 8 },
        { name: 'two', url: 'http://127.0.0.1:9' },
      ],
      models: [
        { name: 'plain', aliases: ['gpt-4', '*'], upstreams: ['one', { name: 'two', weight: 2 }] },
        {
          name: 'chat',
          sticky: 'key',
          choice: 'least_load',
          fallbacks: ['plain'],
          versions: [
            { name: 'stable', weight: 2, upstreams: ['one'] },
            { name: 'canary', upstreams: [{ name: 'two', upstream_model: '/models/next' }] },
          ],
        },
      ],
    },
  });
});
after(() => gateway.stop());

const run = (...parameters: string[]) =>
  sluice(parameters, { env: { SLUICE_ADMIN_URL: gateway.adminUrl, SLUICE_ADMIN_TOKEN: ADMIN_TOKEN } });

test('the table has a line for each version, with its share and its servers', async () => {
  const { exitCode, stdout, stderr } = await run('models', 'list');
  assert.deepEqual([exitCode, stderr], [0, '']);
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ['MODEL', 'SHARE', 'UPSTREAMS', 'CHOICE', 'STICKY', 'ALIASES', 'FALLBACKS'],
      ['plain', '100 %', 'one (unreachable), two ×2 (unreachable)', 'affinity', 'none', 'gpt-4, *'],
      ['chat@stable', '66.7 %', 'one (unreachable)', 'least_load', 'key', 'plain'],
      ['chat@canary', '33.3 %', 'two (unreachable)', 'least_load', 'key', 'plain'],
    ],
  );
});

test('the JSON has all that the admin API says', async () => {
  const { stdout } = await run('models', 'list', '--json');
  const [plain, chat] = JSON.parse(stdout) as Record<string, unknown>[];
  assert.deepEqual(plain, {
    name: 'plain',
    aliases: ['gpt-4', '*'],
    context_length: null,
    choice: 'affinity',
    session_headers: ['x-session-id'],
    sticky: 'none',
    fallbacks: [],
    versions: [
      {
        name: null,
        weight: 1,
        share: 1,
        upstreams: [
          { name: 'one', weight: 1, upstream_model: 'plain', status: 'unreachable' },
          { name: 'two', weight: 2, upstream_model: 'plain', status: 'unreachable' },
        ],
      },
    ],
  });
  assert.deepEqual(chat?.versions, [
    {
      name: 'stable',
      weight: 2,
      share: 0.666667,
      upstreams: [{ name: 'one', weight: 1, upstream_model: 'chat', status: 'unreachable' }],
    },
    {
      name: 'canary',
      weight: 1,
      share: 0.333333,
      upstreams: [{ name: 'two', weight: 1, upstream_model: '/models/next', status: 'unreachable' }],
    },
  ]);
  const { body } = await gateway.admin('GET', '/upstreams');
  const [one, two] = body.data as Record<string, unknown>[];
  assert.deepEqual([one?.labels, one?.max_in_flight], [{ zone: 'a' }, 8]);
  assert.deepEqual([two?.labels, two?.max_in_flight], [{}, null]);
});

test('config reload prints JSON when asked', async () => {
  const { exitCode, stdout } = await run('config', 'reload', '--json');
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout), {
    object: 'config.reload',
    changes: [],
    needs_restart: [],
    warnings: [],
  });
});
