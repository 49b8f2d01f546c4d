/** How failed look-ups are counted: by network, for a minute, in bounded memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientNetwork } from '../../src/admission/client-network.ts';
import { Guesses } from '../../src/admission/guesses.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const NOW_MS = Date.now();

function opened(perMinute: number, networksMax?: number) {
  const lines: string[] = [];
  const log = createLogger('warn', {}, { write: (line) => void lines.push(line) });
  const guesses = new Guesses({ perMinute, log, ...(networksMax && { networksMax }) });
  let digests = 0;
  const fail = async (network: string, times: number, nowMs = NOW_MS) => {
    for (let count = 0; count < times; count += 1) {
      digests += 1;
      await guesses.failed(network, `digest ${digests}`, nowMs);
    }
  };
  return { guesses, lines, fail };
}

test('a network is blocked with its last failure, for the rest of the minute, and no other network is', async () => {
  const { guesses, fail } = opened(3);
  await fail('a', 2);
  assert.equal(guesses.blockedMs('a', NOW_MS), 0);
  await fail('a', 1);
  const leftMs = guesses.blockedMs('a', NOW_MS);
  assert.ok(leftMs > 59_000 && leftMs <= 60_000, `${leftMs}`);
  assert.equal(guesses.blockedMs('a', NOW_MS + 60_000), 0);
  assert.equal(guesses.blockedMs('b', NOW_MS), 0);
});

test('a clock that was set back does not block for longer than a minute', async () => {
  const { guesses, fail } = opened(1);
  await fail('a', 1);
  assert.equal(guesses.blockedMs('a', NOW_MS - 3_600_000), 0);
});

test('the same wrong key again and again is one failure', async () => {
  const { guesses } = opened(2);
  for (let count = 0; count < 100; count += 1) await guesses.failed('a', 'the same', NOW_MS);
  assert.equal(guesses.blockedMs('a', NOW_MS), 0);
});

test('the log warns of a network once, however many failures follow', async () => {
  const { lines, fail } = opened(3);
  await fail('a', 50);
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] as string) as Record<string, unknown>;
  assert.deepEqual([line.level, line.address, line.failed_lookups], ['warn', 'a', 3]);
});

test('a flood of networks keeps memory bounded and frees none that is blocked', async () => {
  const { guesses, fail } = opened(3, 100);
  await fail('guesser', 3);
  for (let index = 0; index < 1_000; index += 1) await fail(`flood ${index}`, 1);
  assert.equal(guesses.size, 100);
  assert.ok(guesses.blockedMs('guesser', NOW_MS) > 0);
});

test('a network that was pushed out begins anew', async () => {
  const { guesses, fail } = opened(3, 2);
  await fail('a', 2);
  await fail('b', 1);
  await fail('c', 1);
  await fail('a', 2);
  assert.equal(guesses.blockedMs('a', NOW_MS), 0);
  await fail('a', 1);
  assert.ok(guesses.blockedMs('a', NOW_MS) > 0);
});

test('where all are blocked, the one that was blocked first goes first', async () => {
  const { guesses, fail } = opened(1, 3);
  for (const network of ['a', 'b', 'c', 'd']) await fail(network, 1);
  const blocked = ['a', 'b', 'c', 'd'].map((network) => guesses.blockedMs(network, NOW_MS) > 0);
  assert.deepEqual(blocked, [false, true, true, true]);
});

test('an IPv6 address counts as its /64, an IPv4 address as itself in either spelling', () => {
  const networks = {
    '192.0.2.1': '192.0.2.1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '::ffff:c000:201': '192.0.2.1',
    '::FFFF:192.0.2.1': '192.0.2.1',
    '0:0:0:0:0:ffff:c000:0201': '192.0.2.1',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:DB8:1:2::1': '2001:db8:1:2::/64',
    '2001:0db8:0001:0002:ffff:ffff:ffff:ffff': '2001:db8:1:2::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    '::1': '0:0:0:0::/64',
    '::': '0:0:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '1::ffff:192.0.2.1': '1:0:0:0::/64',
    '': 'other',
    unknown: 'other',
    '192.0.2.1:8080': 'other',
    '999.1.1.1': 'other',
  };
  for (const [address, network] of Object.entries(networks)) {
    assert.equal(clientNetwork(address), network, address);
  }
});
