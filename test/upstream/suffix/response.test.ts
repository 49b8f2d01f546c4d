/** Streams of the Responses API: one delta more, and the whole text wherever it is repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamFor } from '../../../src/upstream/suffix.ts';
import { everySplit } from '../support/splits.ts';
import { type Event, eventsOf, recorded, streamed } from './passed.ts';

const suffix = '\n— "Ünë"';
const shape = { ending: 'terminal_event' } as const;
const openai = {
  ...shape,
  kind: 'openai',
  upstreamModel: 'm',
  model: undefined,
  dropUsageChunk: false,
} as const;

interface Item {
  readonly type: string;
  readonly text?: string;
}

/** The events of a response with these items, as OpenAI numbers them. */
function response(items: readonly Item[], end = 'response.completed'): string {
  const events: object[] = [{ type: 'response.created', response: { status: 'in_progress', output: [] } }];
  const output: object[] = [];
  items.forEach(({ type, text = '' }, index) => {
    const at = { item_id: `i${index}`, output_index: index };
    const part = { type: 'output_text', text, annotations: [] };
    const item = type === 'message' ? { id: `i${index}`, type, content: [part] } : { id: `i${index}`, type };
    output.push(item);
    events.push({ type: 'response.output_item.added', output_index: index, item: { ...item, content: [] } });
    if (type === 'message') {
      const inPart = { ...at, content_index: 0 };
      events.push(
        { type: 'response.content_part.added', ...inPart, part: { ...part, text: '' } },
        { type: 'response.output_text.delta', ...inPart, delta: text },
        { type: 'response.output_text.done', ...inPart, text },
        { type: 'response.content_part.done', ...inPart, part },
      );
    }
    events.push({ type: 'response.output_item.done', output_index: index, item });
  });
  const status = end.slice('response.'.length);
  const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
  events.push({ type: end, response: { status, output, usage } });
  return events.map((one, number) => write({ ...one, sequence_number: number } as Event)).join('');
}

function write(event: Event): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function deltasOf(text: string): string {
  return eventsOf(text)
    .filter(({ type }) => type === 'response.output_text.delta')
    .map(({ delta }) => delta)
    .join('');
}

test('as recorded, cut at every place and byte by byte', () => {
  const sent = recorded('responses-stream');
  const said = deltasOf(sent);
  const expected = streamed([sent], suffix, shape).text;
  let at = 0;
  for (const pieces of everySplit(Buffer.from(sent))) {
    at += 1;
    if (at % 11 > 0 && pieces.length <= 2) continue;
    const { text, complete, usage, addedBytes, bytesIn } = streamed(pieces, suffix, shape);
    assert.equal(text, expected);
    assert.equal(addedBytes, Buffer.byteLength(text) - bytesIn);
    assert.deepEqual([complete, usage?.outputTokens], [true, 4]);
  }
  assert.equal(deltasOf(expected), said + suffix);
  const texts = [...expected.matchAll(/"text":("(?:[^"\\]|\\.)*")/g)].map(([, text]) =>
    JSON.parse(text ?? ''),
  );
  assert.deepEqual(
    texts.filter((text) => text !== ''),
    Array(4).fill(said + suffix),
  );
  const events = sent.split(/(?<=\n\n)/);
  const changed = expected.split(/(?<=\n\n)/).filter((event) => !events.includes(event));
  assert.equal(changed.length, 5, 'a delta, and the four events that repeat the text');
});

test('the delta stands before the end of its text, and all later events are numbered on', () => {
  const sent = response([{ type: 'reasoning' }, { type: 'message', text: 'Hi' }]);
  const events = eventsOf(streamed([sent], suffix, shape).text);
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    [...events.keys()],
  );
  const added = events.findIndex(({ delta }) => delta === suffix);
  assert.deepEqual(events[added], {
    type: 'response.output_text.delta',
    ...{
      sequence_number: added,
      item_id: 'i1',
      output_index: 1,
      content_index: 0,
      delta: suffix,
      logprobs: [],
    },
  });
  assert.equal(events[added + 1]?.type, 'response.output_text.done');
  assert.equal(events[added + 1]?.text, `Hi${suffix}`);
});

test('of several messages the last one gets it', () => {
  const sent = response([
    { type: 'message', text: 'one' },
    { type: 'message', text: 'two' },
  ]);
  const { text } = streamed([sent], suffix, shape);
  assert.equal(deltasOf(text), `onetwo${suffix}`);
  const last = eventsOf(text).at(-1) as unknown as {
    response: { output: { content: { text: string }[] }[] };
  };
  assert.deepEqual(
    last.response.output.map(({ content }) => content[0]?.text),
    ['one', `two${suffix}`],
  );
});

test('none where functions are to be run, where the response has failed, and where nothing was said', () => {
  const none = [
    response([{ type: 'message', text: 'I call.' }, { type: 'function_call' }]),
    response([{ type: 'function_call' }]),
    response([{ type: 'message', text: 'Hi' }], 'response.failed'),
    response([{ type: 'reasoning' }]),
    response([]),
  ];
  for (const sent of none) assert.equal(streamed([sent], suffix, shape).text, sent);
  const cut = response([{ type: 'message', text: 'Hi' }], 'response.incomplete');
  assert.equal(deltasOf(streamed([cut], suffix, shape).text), `Hi${suffix}`);
});

test('comments and events of the server’s own between the last ones change nothing', () => {
  const sent = response([{ type: 'message', text: 'Hi' }]).replace(
    'event: response.output_item.done',
    ': ping\n\ndata: {"type":"response.of_its_own"}\n\nevent: response.output_item.done',
  );
  const { text } = streamed([sent], suffix, shape);
  assert.equal(deltasOf(text), `Hi${suffix}`);
  assert.ok(text.includes(': ping\n\n') && text.includes('response.of_its_own'));
});

test('a server that never says that a text is done', () => {
  const withoutDone = (sent: string) =>
    eventsOf(sent)
      .filter(({ type = '' }) => !type.endsWith('.done'))
      .map(write)
      .join('');
  const sent = withoutDone(response([{ type: 'message', text: 'Hi' }]));
  const { text } = streamed([sent], suffix, shape);
  assert.equal(deltasOf(text), `Hi${suffix}`);
  assert.ok(JSON.stringify(eventsOf(text).at(-1)?.response).includes(JSON.stringify(`Hi${suffix}`)));
  const calls = withoutDone(response([{ type: 'message', text: 'I call.' }, { type: 'function_call' }]));
  assert.equal(streamed([calls], suffix, shape).text, calls);
});

test('no word of the answer is held back', () => {
  const items = [
    { type: 'message', text: 'one' },
    { type: 'message', text: 'two' },
  ];
  const stream = streamFor({ ...openai, suffix });
  for (const event of response(items).split(/(?<=\n\n)/)) {
    const passed = stream.push(Buffer.from(event))?.toString() ?? '';
    if (/^event: response\.(output_text\.delta|.*added)$/m.test(event)) assert.ok(passed.endsWith(event));
  }
});

test('what is held comes out when the stream ends early, and is bounded', () => {
  const [head] = response([{ type: 'message', text: 'Hi' }]).split('event: response.completed');
  const { text, complete } = streamed([head ?? ''], suffix, shape);
  assert.deepEqual([text, complete], [head, false]);
  const filler = `data: {"type":"response.x","x":"${'x'.repeat(1_000_000)}"}\n\n`;
  assert.equal(streamed([head ?? '', ...Array(5).fill(filler)], suffix, shape).overflow, true);
});
