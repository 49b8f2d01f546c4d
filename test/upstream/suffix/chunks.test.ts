/** Streams of chat and completions: the suffix comes once behind each choice, before its end, and nowhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySplit, randomSplit, seeded } from '../support/splits.ts';
import { choicesOf, eventsOf, recorded, streamed } from './passed.ts';

const suffix = '\n— "Ünë" \u{1f600}';
const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };

function event(fields: object): string {
  return `data: ${JSON.stringify({ ...base, ...fields })}\n\n`;
}

function choice(index: number, delta: object | string, reason: string | null = null): object {
  const said = typeof delta === 'string' ? { text: delta } : { delta };
  return { index, ...said, logprobs: null, finish_reason: reason };
}

function chunk(...choices: object[]): string {
  return event({ choices });
}

const done = 'data: [DONE]\n\n';

for (const name of ['chat-stream-n2', 'chat-stream-usage', 'chat-stream-nousage', 'completions-stream']) {
  test(`${name} as recorded, cut at every place and byte by byte`, () => {
    const sent = recorded(name);
    const plain = choicesOf(sent);
    const events = sent.split(/(?<=\n\n)/);
    let expected: string | undefined;
    const random = seeded(7);
    const splits = [...everySplit(Buffer.from(sent))].filter(
      (pieces, at) => pieces.length > 2 || at % 11 === 0,
    );
    for (const pieces of [...splits, randomSplit(random, Buffer.from(sent), 40)]) {
      const { text, usage, complete, addedBytes, bytesIn } = streamed(pieces, suffix);
      expected ??= text;
      assert.equal(text, expected);
      assert.equal(addedBytes, Buffer.byteLength(text) - bytesIn);
      assert.deepEqual([usage, complete], [streamed([sent], undefined).usage, true]);
    }
    assert.deepEqual(
      choicesOf(expected ?? ''),
      plain.map((one) => ({ ...one, text: one.text + suffix })),
    );
    const added = (expected ?? '').split(/(?<=\n\n)/).filter((one) => !events.includes(one));
    assert.equal(added.length, plain.length, 'all other events keep their bytes');
    for (const one of eventsOf(added.join(''))) {
      const neighbour = eventsOf(sent)[0];
      for (const field of ['id', 'object', 'created', 'model']) assert.equal(one[field], neighbour?.[field]);
      assert.equal(one.usage, undefined);
    }
  });
}

test('calls of tools get none, as recorded, and neither do those that end with stop', () => {
  const sent = recorded('chat-tools-stream');
  assert.equal(streamed([sent], suffix).text, sent);
  const calls = { tool_calls: [{ index: 0, function: { name: 'f', arguments: '' } }] };
  for (const delta of [calls, { function_call: { name: 'f' } }]) {
    const stopped =
      chunk(choice(0, { content: 'I call.' })) +
      chunk(choice(0, delta)) +
      chunk(choice(0, {}, 'stop')) +
      done;
    assert.equal(streamed([stopped], suffix).text, stopped);
  }
});

test('one choice calls a tool, the other speaks: only that one gets the suffix', () => {
  const calls = { tool_calls: [{ index: 0 }] };
  const sent =
    chunk(choice(0, calls), choice(1, { content: 'a' })) +
    chunk(choice(0, {}, 'tool_calls'), choice(1, {}, 'stop')) +
    done;
  const added = event({ choices: [choice(1, { content: suffix })] });
  assert.equal(
    streamed([sent], suffix).text,
    sent.replace(chunk(choice(0, {}, 'tool_calls'), choice(1, {}, 'stop')), (end) => added + end),
  );
});

test('words in the chunk that ends a choice come before the suffix, in that chunk', () => {
  for (const [said, full] of [
    [{ content: 'end "x"\\' }, { content: `end "x"\\${suffix}` }],
    ['end', `end${suffix}`],
  ] as const) {
    const sent = chunk(choice(0, said, 'length'), choice(1, said)) + chunk(choice(1, said, 'stop')) + done;
    const expected =
      chunk(choice(0, full, 'length'), choice(1, said)) + chunk(choice(1, full, 'stop')) + done;
    assert.equal(streamed([sent], suffix).text, expected);
  }
});

test('an answer of a single empty chunk says who speaks', () => {
  const { text } = streamed([chunk(choice(0, {}, 'stop')) + done], suffix);
  assert.deepEqual(eventsOf(text)[0]?.choices?.[0]?.delta, { role: 'assistant', content: suffix });
});

test('an end that is said twice, and ends that are never said', () => {
  const end = chunk(choice(0, {}, 'stop'));
  const twice = streamed([chunk(choice(0, { content: 'a' })) + end + end + done], suffix).text;
  assert.equal(twice.split(JSON.stringify(suffix)).length, 2);
  const never = chunk(choice(0, { content: 'a' })) + chunk(choice(1, { content: 'b' })) + done;
  const { text } = streamed([never], suffix);
  assert.deepEqual(
    choicesOf(text).map((one) => one.text),
    [`a${suffix}`, `b${suffix}`],
  );
  assert.ok(text.endsWith(done));
});

test('comments, line ends of Windows, chunks that are only usage and events that are no JSON pass as they are', () => {
  const usage = event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } });
  const sent = `: ping\n\ndata: no json\n\n${chunk(choice(0, { content: 'a' }))}${usage}`.replaceAll(
    '\n',
    '\r\n',
  );
  assert.equal(streamed([sent], suffix).text, sent);
  const dropped = streamed([chunk(choice(0, {}, 'stop')) + usage + done], suffix, { dropUsageChunk: true });
  assert.equal(dropped.text.includes('"usage"'), false);
  assert.equal(dropped.usage?.outputTokens, 2);
});

test('the added chunk names the model as the client does', () => {
  const sent = chunk(choice(0, { content: 'a' })) + chunk(choice(0, {}, 'stop')) + done;
  const { text } = streamed([sent], suffix, { model: 'public' });
  assert.deepEqual(
    eventsOf(text).map(({ model }) => model),
    ['public', 'public', 'public'],
  );
});

test('a server that gives up in the middle leaves the choice without suffix', () => {
  const sent = `${chunk(choice(0, { content: 'a' }))}data: {"error":{"message":"no"}}\n\n`;
  const { text, failure } = streamed([sent], suffix);
  assert.equal(text, chunk(choice(0, { content: 'a' })));
  assert.ok(failure);
});
