/** Case S1 behind balancers: what is refused directly does not pass through them either, whoever refuses it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Balancer, type BalancerName, startBalancer } from '../../deploy/support/balancer.ts';
import { ask, speakSecurely } from '../../deploy/support/secure-client.ts';
import { answerAsAsked } from '../../http/answers.ts';
import { bearer } from '../../http/client.ts';
import { body, heads, length, payloads, rawRequest } from '../../http/smuggling-payloads.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { missingPrograms } from '../../support/programs.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';

const lineFeeds = 'lines that end with bare line feeds';

/**
 * What a balancer reads as one honest request, in the one way in which it can be read if its liberty is granted (a
 * bare line feed ends a line). It writes a new one of it, so that nobody behind it has anything to interpret.
 */
const readAsOne: Readonly<Record<BalancerName, readonly string[]>> = {
  nginx: [
    'a chunk size behind a bare line feed',
    'a length among the trailers',
    'a version that does not exist',
    'an encoding behind a bare line feed',
    lineFeeds,
  ],
  haproxy: [
    'a chunk size behind a bare line feed',
    // Of both it takes the encoding, as RFC 9112 says, and sends no length on.
    'a length of 0 and chunks',
    'chunks and length',
    'length and chunks',
    'a list of lengths',
    'the same length twice',
    'a request line with a tab',
    'a version that does not exist',
    'an encoding behind a bare line feed',
    'an encoding on a folded line',
    lineFeeds,
  ],
};

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      listen: { trusted_proxies: ['127.0.0.1'] },
      redis: { command_timeout_ms: 5_000 },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

for (const name of ['nginx', 'haproxy'] as const) {
  const skip = missingPrograms(name, 'openssl');

  test(`${name}: every payload gets 400 or is closed, or is made one honest request of`, {
    skip,
  }, async (t) => {
    const balancer = await startBalancer(name, { gateways: [gateway.url] });
    t.after(() => balancer.stop());
    const messages = [
      ...payloads.map(([title, headers, sent]) => [title, raw(headers, sent)] as const),
      ...heads.map(([title, line]) => [title, raw([length], body, line)] as const),
      [lineFeeds, raw([length], body).replaceAll('\r\n', '\n')] as const,
    ];
    const honest: string[] = [];
    for (const [title, message] of messages) {
      if (await isReadAsOne(balancer, title, message)) honest.push(title);
    }
    assert.deepEqual(honest.sort(), [...readAsOne[name]].sort());
    const { status } = await ask(balancer, { headers: bearer(gateway.key), body });
    assert.equal(status, 200, 'an honest request is served afterwards');
    t.diagnostic(`${messages.length - honest.length} refused, ${honest.length} read as one request`);
    upstream.requests.length = 0;
  });
}

/** False: refused. True: the server got one request, with the body that was meant. Fails on everything else. */
async function isReadAsOne(balancer: Balancer, title: string, message: string): Promise<boolean> {
  const heard = await speakSecurely(balancer, message);
  const answers = heard.split(/HTTP\/1\.[01] (?=\d{3})/).slice(1);
  const seen = upstream.requests.splice(0);
  assert.ok(answers.length <= 1, `${title}: one answer at most: ${heard}`);
  if (seen.length === 0) {
    if (answers[0] !== undefined)
      assert.match(answers[0], /^(4\d\d|501) /, `${title}: ${heard.slice(0, 300)}`);
    return false;
  }
  assert.deepEqual(
    seen.map(({ path, body: got }) => [path, got]),
    [['/v1/chat/completions', body]],
    title,
  );
  return true;
}

function raw(headers: readonly string[], sent: string, line = 'POST /v1/chat/completions HTTP/1.1'): string {
  return rawRequest(gateway.key, line, headers, sent);
}
