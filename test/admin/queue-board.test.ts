/** The board shows what is in BullMQ's hands to who has the token, and changes nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jobQueue } from '../../src/jobs/queue.ts';
import { startPlayer } from '../http/jobs/player.ts';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await startGateway();
  const player = await startPlayer(gateway.redis);
  const added = await jobQueue(player.connection).add(['job_one']);
  assert.ok(added.ok);
  player.close();
});
after(() => gateway.stop());

function ask(path: string, authorization: string | undefined, method = 'GET'): Promise<Response> {
  const headers = authorization === undefined ? {} : { authorization };
  return fetch(`${gateway.adminUrl}/admin${path}`, { method, headers });
}

function basic(password: string): string {
  return `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`;
}

test('a browser is asked for the token, and gets nothing without it', async () => {
  for (const path of ['/queues', '/queues/', '/queues/api/queues', '/queues/static/images/logo.svg']) {
    for (const authorization of [undefined, basic('wrong'), 'Basic !', 'Bearer wrong']) {
      const { status, headers } = await ask(path, authorization);
      assert.equal(status, 401, path);
      assert.match(headers.get('www-authenticate') ?? '', /^Basic realm=/);
    }
  }
});

test('with it the page comes, whose scripts are its own and which nobody may frame', async () => {
  for (const authorization of [basic(ADMIN_TOKEN), `Bearer ${ADMIN_TOKEN}`]) {
    const page = await ask('/queues', authorization);
    assert.equal(page.status, 200);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; script-src 'self';.*frame-ancestors 'none'/);
    const html = await page.text();
    const scripts = [...html.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, path = '']) => path);
    assert.ok(scripts.length > 0);
    for (const script of scripts) {
      assert.doesNotMatch(script, /^(https?:)?\/\//);
      const { status } = await ask(`/queues/${script}`, authorization);
      assert.equal(status, 200, script);
    }
  }
});

test('the queues are shown, read-only, with what they hold', async () => {
  const answer = await ask('/queues/api/queues?activeQueue=jobs&status=waiting', basic(ADMIN_TOKEN));
  const { queues } = (await answer.json()) as {
    queues: { name: string; readOnlyMode: boolean; counts: Record<string, number> }[];
  };
  assert.deepEqual(
    queues.map(({ name, readOnlyMode }) => [name, readOnlyMode]),
    [
      ['jobs', true],
      ['webhooks', true],
    ],
  );
  assert.equal(queues[0]?.counts.waiting, 1);
});

test('nothing but a look is answered, and the password opens nothing else', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of ['/queues/api/queues/jobs/pause', '/queues/api/queues/jobs/empty', '/queues']) {
      assert.equal((await ask(path, basic(ADMIN_TOKEN), method)).status, 405, `${method} ${path}`);
    }
  }
  assert.equal((await ask('/v1/keys', basic(ADMIN_TOKEN))).status, 401);
  assert.equal((await ask('/v1/jobs/drain', basic(ADMIN_TOKEN), 'POST')).status, 401);
});
