/** Numbers that balancers and gateways have to agree upon, against the defaults of the gateways. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';

const { listen, timeouts, waiting } = configSchema.parse({
  secret: 'a-secret-for-tests-only-0123456789abcdef',
});
const callSeconds = timeouts.total_ms / 1_000 + waiting.seconds_max;

async function numbersIn(file: string) {
  const text = await readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8');
  return (pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
}

test('nginx: the same body limit, longer waits than a call, shorter idle connections than the gateways', async () => {
  const number = await numbersIn('nginx/sluice.conf');
  assert.equal(number(/client_max_body_size (\d+);/), listen.body_limit_bytes);
  assert.ok(number(/proxy_read_timeout (\d+)s;/) > callSeconds);
  assert.ok(number(/^upstream [\s\S]*?keepalive_timeout (\d+)s;/m) * 1_000 < listen.keep_alive_timeout_ms);
  const main = await numbersIn('nginx/nginx.conf');
  assert.ok(main(/worker_shutdown_timeout (\d+)s;/) > callSeconds);
});

test('HAProxy: longer waits than a call, shorter idle connections than the gateways', async () => {
  const number = await numbersIn('haproxy/haproxy.cfg');
  for (const wait of [/timeout server (\d+)s/, /timeout client (\d+)s/, /hard-stop-after (\d+)s/]) {
    assert.ok(number(wait) > callSeconds, String(wait));
  }
  assert.ok(number(/pool-purge-delay (\d+)s/) * 1_000 < listen.keep_alive_timeout_ms);
  assert.ok(number(/req\.body_size gt (\d+)/) > listen.body_limit_bytes);
});
