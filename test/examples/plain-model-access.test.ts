/** Signed calls, address lists and the container of the example of a plain model server. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createSimulator } from '../../src/simulator/server.ts';
import { instructionsOf } from '../deploy/support/image.ts';
import { assertRefused, bearer, type Reply, send } from '../http/client.ts';
import { ed25519Signer, signed } from '../http/signing.ts';
import type { TestGateway } from '../support/gateway.ts';
import { exampleText, pathOf, startExample } from './support/example.ts';

const SERVER = 'http://127.0.0.1:5001';
const repository = fileURLToPath(new URL('../..', import.meta.url));
const body = '{"input_data": "Hello"}';
const predictor = createSimulator();
let replacements: Record<string, string>;
let gateway: TestGateway;

before(async () => {
  replacements = { [SERVER]: (await predictor.listen('127.0.0.1', 0)).url };
  gateway = await startExample('plain-model', replacements);
});

after(async () => {
  await gateway.stop();
  await predictor.close();
});

function predict(headers: Record<string, string>, text = body): Promise<Reply> {
  return send(gateway.url, '/predict', { headers, body: text });
}

test('where a key demands signatures, a signed call is served once, and unsigned or altered ones are refused', async () => {
  const { id, key } = await gateway.createKey({ tenant: 'signing', require_signature: true });
  const signer = await ed25519Signer(gateway, id);
  const sign = () => signed({ authority: new URL(gateway.url).host, target: '/predict', body }, signer);
  const served = predictor.state.counts.started;
  assertRefused(await predict(sign(), body.replace('Hello', 'Other')), 'invalid_api_key');
  const headers = sign();
  const { status, body: answer } = await predict(headers);
  assert.deepEqual([status, Object.keys(JSON.parse(String(answer)))], [200, ['prediction', 'simulated']]);
  assertRefused(await predict(headers), 'invalid_api_key');
  assert.notEqual((await predict(bearer(key))).status, 200);
  assert.equal(predictor.state.counts.started, served + 1);
});

test('a key, and a tenant with all its keys, may be good at listed addresses alone', async () => {
  const here = await gateway.createKey({ tenant: 'near', allowed_addresses: ['127.0.0.0/8', '::1'] });
  const elsewhere = await gateway.createKey({ tenant: 'far', allowed_addresses: ['203.0.113.0/24'] });
  assert.equal((await predict(bearer(here.key))).status, 200);
  assertRefused(await predict(bearer(elsewhere.key)), 'permission_denied');
  await gateway.admin('POST', '/tenants', { name: 'farther', allowed_addresses: ['2001:db8::/32'] });
  const { key } = await gateway.createKey({ tenant: 'farther' });
  assertRefused(await predict(bearer(key)), 'permission_denied');
});

test('what the README runs in a container serves the file that it mounts', async (t) => {
  const readme = await readFile(pathOf('plain-model', 'README.md'), 'utf8');
  const commands = /^```console\n(.*?)^```$/ms.exec(readme)?.[1]?.replaceAll('\\\n', ' ') ?? '';
  const [, tag] = /^docker build -t (\S+) \.$/m.exec(commands) ?? [];
  const words = /^docker run (.*)$/m.exec(commands)?.[1]?.match(/"[^"]*"|\S+/g) ?? [];
  assert.equal(words.at(-1), tag, 'the image that was built, with the command of its own');
  const given = (flag: string) =>
    words.flatMap((word, index) => (words[index - 1] === flag ? [word.replaceAll('"', '')] : []));

  const [mounted = '', inside = ''] = given('-v')[0]?.split(':') ?? [];
  assert.equal(join(repository, mounted.replace('$PWD/', '')), pathOf('plain-model', 'sluice.yaml'));
  const env = given('-e');
  assert.ok(env.includes(`SLUICE_CONFIG=${inside}`) && inside.endsWith('.yaml'));
  assert.deepEqual(
    env.filter((one) => !one.includes('=')),
    ['SLUICE_SECRET', 'REDIS_URL'],
  );
  const instructions = instructionsOf(await readFile(join(repository, 'Dockerfile'), 'utf8'));
  const last = (name: string) => instructions.findLast((one) => one.name === name)?.text ?? '';
  assert.ok(
    last('EXPOSE')
      .split(' ')
      .includes(given('-p')[0]?.split(':')[1] ?? ''),
  );
  assert.deepEqual(
    [...JSON.parse(last('ENTRYPOINT')), ...JSON.parse(last('CMD'))],
    ['node', 'src/main.ts', 'gateway'],
  );
  // Its environment, the public listener on all addresses as in the image; test/deploy/dockerfile.test.ts builds it.
  assert.doesNotMatch(exampleText('plain-model'), /^ *(host|port):/m);
  const variables = [...last('ENV').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value]) => [name, value]);
  const imageEnv = { ...Object.fromEntries(variables), HOST: undefined };
  const contained = await startExample('plain-model', replacements, {
    env: imageEnv,
    redis: gateway.redis,
    makeKey: false,
  });
  t.after(() => contained.stop());
  const url = `http://127.0.0.1:${new URL(contained.url).port}`;
  const reply = await send(url, '/predict', { headers: bearer(gateway.key), body });
  assert.equal(reply.status, 200, reply.body.toString());
});
