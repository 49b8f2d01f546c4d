/** A shared call that waits for a place waits for all of its callers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { sharingHouse } from './house.ts';

const house = sharingHouse({ tokens: 20, tokenMs: 10, maxInFlight: 1 });

test('equal calls wait with the first one, and go with it', async () => {
  const { simulator, ask, settled } = house;
  const { started } = simulator.state.counts;
  const busy = await ask('busy', { content: 'busy' });
  const waiting = ['w1', 'w2', 'w3'].map((id) => ask(id, { content: 'waits' }));
  const texts = await Promise.all((await Promise.all(waiting)).map((answer) => answer.text()));
  await busy.text();
  assert.equal(new Set(texts).size, 1);
  assert.equal(simulator.state.counts.started, started + 2);
  await until(() => settled.size === 4);
});

test('the first one leaves while it waits: the others keep its place', async () => {
  const { simulator, ask, exchanges, settled } = house;
  const { started } = simulator.state.counts;
  const busy = await ask('busy-2', { content: 'busy' });
  const leaving = new AbortController();
  const first = ask('first', { content: 'place', signal: leaving.signal }).catch(() => undefined);
  await until(() => exchanges.size === 2);
  const second = ask('second', { content: 'place' });
  await until(() => exchanges.size === 3);
  leaving.abort();
  await first;
  assert.match(await (await second).text(), /data: \[DONE\]\n\n$/);
  await busy.text();
  await until(() => settled.has('first') && settled.has('second'));
  assert.equal(settled.get('first')?.settlement?.spent.outputTokens, 20);
  assert.equal(simulator.state.counts.started, started + 2);
});

test('all leave while they wait: nothing is sent, and nobody pays', async () => {
  const { simulator, ask, exchanges, settled, shared } = house;
  const { started } = simulator.state.counts;
  const busy = await ask('busy-3', { content: 'busy' });
  const leaving = new AbortController();
  const gone = ask('gone', { content: 'nobody', signal: leaving.signal }).catch(() => undefined);
  await until(() => exchanges.size === 2);
  leaving.abort();
  await gone;
  await until(() => settled.has('gone'));
  assert.equal(settled.get('gone')?.settlement, undefined);
  await busy.text();
  // The place of the one that is gone would come before this one's.
  await (await ask('next', { content: 'next' })).text();
  await until(() => shared.size === 0 && exchanges.size === 0);
  assert.equal(simulator.state.counts.started, started + 2);
});
