import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { openSocket, post } from './support/caller.ts';
import { simulated } from './support/simulated.ts';
const house = simulated({ timeouts: { idle_ms: 6_000 }, env: { NODE_OPTIONS: "--cpu-prof --cpu-prof-dir=/tmp/prof" } });
test('x', async () => {
  const { gateway, simulator } = house;
  simulator.state.addFault({ prompt: 'much', answer_bytes: 16_777_216 });
  const t0 = performance.now();
  const socks = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const s = await openSocket(gateway.url);
    s.pause(); s.on('error', () => undefined);
    s.write(post(gateway, '/v1/chat/completions', { model: 'public', stream: i % 2 === 0, messages: [{ role: 'user', content: 'much' }] }));
    return s;
  }));
  for (let i = 0; i < 60; i++) {
    await new Promise((r) => setTimeout(r, 100));
    const st = readFileSync(`/proc/${gateway.process.pid}/stat`, 'utf8').split(' ');
    const me = process.cpuUsage();
    console.log(Math.round(performance.now() - t0), JSON.stringify(simulator.state.counts), 'gw cpu', Number(st[13]) + Number(st[14]), 'me', Math.round((me.user + me.system) / 10000), /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.process.pid}/status`, 'utf8'))?.[1]);
  }
  for (const s of socks) s.destroy();
});
