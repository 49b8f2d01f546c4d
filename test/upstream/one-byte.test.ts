/** A server whose bytes come one at a time, characters split, is relayed to the same bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulated } from './support/simulated.ts';

const house = simulated();
const text = 'Grüße, 世界 😀 — "model":"x" \\ \n\n data: [DONE] ﷽ é';

/** Without what differs from call to call. */
function timeless(answer: string): string {
  return answer
    .replace(/"(chatcmpl|cmpl|resp|msg)[-_][^"]*"/g, '"id"')
    .replace(/"created(_at)?":\d+/g, '"created":0');
}

async function ask(path: string, body: Record<string, unknown>): Promise<string> {
  const { gateway } = house;
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'public', ...body }),
  });
  assert.equal(answer.status, 200);
  return timeless(Buffer.from(await answer.arrayBuffer()).toString());
}

for (const [path, body] of [
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }] }],
  ['/v1/chat/completions', { stream: true, messages: [{ role: 'user', content: 'Hello' }] }],
  ['/v1/completions', { stream: true, prompt: 'Hello', stream_options: { include_usage: true } }],
  ['/v1/responses', { stream: true, input: 'Hello' }],
] as const) {
  test(`${path} ${JSON.stringify(body)}`, async () => {
    const { state } = house.simulator;
    state.clearFaults();
    state.addFault({ text });
    const whole = await ask(path, body);
    state.addFault({ one_byte: true });
    const bytewise = await ask(path, body);
    assert.equal(bytewise, whole);
    assert.ok(whole.includes('世'), 'the text came');
    assert.equal(whole.includes('/models/simulated'), false);
  });
}
