/** A Redis that has come back empty is filled while gateways run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { openSite, runRole, scratch } from './support/ground.ts';

test('a gateway that has met the empty Redis trusts what is put back, and nobody has to accept anything', {
  timeout: 60_000,
}, async (t) => {
  const file = (await scratch(t))('made.backup');
  const [site, other] = await Promise.all([openSite(t, {}), openSite(t, {})]);
  const [first, second] = await Promise.all([site.startGateway(), other.startGateway()]);
  const { key } = await first.createKey({});
  const made = await runRole(['backup', file], site.urls);
  assert.equal(made.code, 0, made.err);
  const models = (one: string) =>
    fetch(`${second.url}/v1/models`, { headers: { authorization: `Bearer ${one}` } });
  assert.equal((await models(key)).status, 401, 'unknown in the empty one');

  const back = await runRole(['restore', file], other.urls);
  assert.equal(back.code, 0, back.err);
  await until(async () => (await models(key)).status === 200, 'the key to be known');
  // It would be taken if this gateway missed the data that it has known.
  assert.equal((await second.admin('POST', '/installation/accept')).status, 409);
  assert.equal(await second.metric('sluice_installation_lost'), 0);
});
