/** The breaker of a server by sequences of what happens to it, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerHealth } from '../../../src/upstream/health/server-health.ts';

/** A server that answers its probes, with a clock in seconds. */
function met() {
  const server = new ServerHealth();
  const clock = { nowMs: 1_000_000 };
  server.probed('ok', clock.nowMs);
  const fail = (times: number) => {
    for (let done = 0; done < times; done += 1)
      server.failed(server.began(clock.nowMs), 'status', clock.nowMs);
  };
  const succeed = (times = 1) => {
    for (let done = 0; done < times; done += 1) server.succeeded(server.began(clock.nowMs), clock.nowMs);
  };
  return {
    server,
    fail,
    succeed,
    now: () => clock.nowMs,
    wait: (seconds: number) => {
      clock.nowMs += seconds * 1_000;
    },
    state: () => server.state(clock.nowMs),
    isUsable: () => server.isUsable(clock.nowMs),
  };
}

/** Until trial calls are let through, in seconds. */
function secondsOut({ state, wait }: ReturnType<typeof met>): number {
  let seconds = 0;
  for (; state() === 'ejected'; seconds += 0.5) wait(0.5);
  return seconds;
}

test('a server that nobody has asked yet is down, and up at full weight with its first good probe', () => {
  const server = new ServerHealth();
  assert.equal(server.state(0), 'down');
  assert.equal(server.isUsable(0), false);
  server.probed('refused', 0);
  assert.equal(server.health, 'unreachable');
  server.probed('bad', 1);
  assert.equal(server.health, 'unhealthy', 'of who is down, the last probe tells why');
  server.probed('ok', 2);
  assert.equal(server.state(2), 'up');
  assert.equal(server.weightFactor(2), 1);
  assert.deepEqual(Object.values(server.ejections), [0, 0, 0, 0, 0]);
});

test('five failures in a row eject a server, and one success between them does not let it come so far', () => {
  const one = met();
  one.fail(4);
  one.succeed();
  one.fail(4);
  assert.equal(one.state(), 'up');
  one.fail(1);
  assert.equal(one.state(), 'ejected');
  assert.equal(one.isUsable(), false);
  assert.equal(one.server.ejections.errors, 1);
  assert.deepEqual(one.server.lastFailure, { kind: 'status', atMs: one.now() });
});

test('two failed probes in a row eject a server, for a reason that says what they saw', () => {
  for (const [result, reason, health] of [
    ['bad', 'unhealthy', 'unhealthy'],
    ['refused', 'unreachable', 'unreachable'],
    ['no_answer', 'frozen', 'unreachable'],
  ] as const) {
    const { server, state, now } = met();
    server.probed(result, now());
    server.probed('ok', now());
    server.probed(result, now());
    assert.equal(state(), 'up', result);
    assert.equal(server.health, 'healthy');
    server.probed(result, now());
    assert.equal(state(), 'down', result);
    assert.equal(server.lastReason, reason);
    assert.equal(server.health, health);
  }
});

test('a server is found frozen once for each time it falls silent, also when it was ill before', () => {
  const { server, now } = met();
  const results = ['no_answer', 'no_answer', 'no_answer', 'bad', 'no_answer', 'no_answer', 'ok'] as const;
  const found = results.map((result) => server.probed(result, now()));
  assert.deepEqual(found, [false, true, false, false, false, true, false]);
});

test('trials come one at a time, and two that succeed bring the server back with a tenth of its weight', () => {
  const { server, fail, wait, now, state, isUsable } = met();
  fail(5);
  wait(4.9);
  assert.equal(isUsable(), false);
  wait(0.1);
  assert.equal(state(), 'trial');
  assert.equal(isUsable(), true);
  const first = server.began(now());
  assert.equal(isUsable(), false);
  server.succeeded(first, now());
  assert.equal(state(), 'trial');
  assert.equal(isUsable(), true);
  server.succeeded(server.began(now()), now());
  assert.equal(state(), 'up');
  assert.equal(server.weightFactor(now()), 0.1);
  assert.equal(server.weightFactor(now() + 5_000), 0.55);
  assert.equal(server.weightFactor(now() + 10_000), 1);
});

test('a trial whose caller has left, or that never ends, makes room for the next one', () => {
  const one = met();
  one.fail(5);
  one.wait(5);
  one.server.abandoned(one.server.began(one.now()));
  assert.equal(one.isUsable(), true);
  one.server.began(one.now());
  one.wait(9.9);
  assert.equal(one.isUsable(), false);
  one.wait(0.1);
  assert.equal(one.isUsable(), true);
});

test('a trial that fails costs five seconds more, however long the server has been out', () => {
  const one = met();
  one.fail(5);
  for (let trials = 0; trials < 20; trials += 1) {
    assert.equal(secondsOut(one), 5);
    one.fail(1);
  }
  assert.equal(one.server.ejections.errors, 1);
});

test('who returns and fails again is out for longer each time, up to a minute, and good conduct is remembered', () => {
  const one = met();
  const out: number[] = [];
  const eject = () => {
    one.fail(5);
    out.push(secondsOut(one));
    one.succeed(2);
    assert.equal(one.state(), 'up');
  };
  for (let times = 0; times < 6; times += 1) eject();
  one.wait(30 * 5);
  eject();
  one.wait(30 * 100);
  eject();
  assert.deepEqual(out, [5, 10, 20, 40, 60, 60, 10, 5]);
});

test('what probes have found out lasts eight seconds at most, as they see when it has healed', () => {
  const one = met();
  const out: number[] = [];
  for (let times = 0; times < 4; times += 1) {
    one.server.probed('no_answer', one.now());
    one.server.probed('no_answer', one.now());
    one.server.probed('ok', one.now());
    out.push(secondsOut(one));
    one.succeed(2);
  }
  assert.deepEqual(out, [5, 8, 8, 8]);
});

test('an ejected server is tried only when its probes are answered', () => {
  const one = met();
  one.fail(5);
  one.server.probed('refused', one.now());
  one.server.probed('refused', one.now());
  one.wait(100);
  assert.equal(one.state(), 'down');
  one.server.probed('ok', one.now());
  assert.equal(one.state(), 'trial');
  assert.equal(one.server.weightFactor(one.now()), 0.1);
});

test('calls from before an ejection say nothing about what comes after it', () => {
  const one = met();
  const early = Array.from({ length: 20 }, () => one.server.began(one.now()));
  for (const epoch of early.slice(0, 5)) one.server.failed(epoch, 'reset', one.now());
  one.wait(5);
  for (const epoch of early.slice(5, 15)) one.server.succeeded(epoch, one.now());
  assert.equal(one.state(), 'trial');
  for (const epoch of early.slice(15)) one.server.failed(epoch, 'timeout', one.now());
  assert.equal(one.state(), 'trial');
  assert.equal(one.server.ejections.errors, 1);
});

test('the last server of a pool comes back as soon as two calls have succeeded there', () => {
  const one = met();
  one.fail(5);
  one.succeed();
  one.fail(1);
  one.succeed();
  assert.equal(one.state(), 'ejected');
  one.succeed();
  assert.equal(one.state(), 'up');
});

test('a drained server is not usable, and takes its work up slowly when it is resumed', () => {
  const one = met();
  one.server.setDraining(true, one.now());
  one.server.setDraining(true, one.now());
  assert.equal(one.state(), 'draining');
  assert.equal(one.isUsable(), false);
  one.wait(60);
  one.server.setDraining(false, one.now());
  assert.equal(one.state(), 'up');
  assert.equal(one.server.weightFactor(one.now()), 0.1);
  one.wait(60);
  one.server.setDraining(false, one.now());
  assert.equal(one.server.weightFactor(one.now()), 1);
});
