/** A client sees the name that it has sent, and never what the GPU server calls the model. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { completion } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';

const PATH = '/models/private/GLM-4.7-Flash';

let upstream: TestUpstream;
let gateway: TestGateway;
/** With neither a default nor a catch-all. */
let strict: TestGateway;

before(async () => {
  upstream = await startUpstream((request, response, body) => {
    const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
    response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
    if (request.url === '/v1/responses')
      response.end(stream ? responsesStream(model) : responsesAnswer(model));
    else if (body.includes('refuse me')) {
      response.writeHead(400).end(JSON.stringify({ error: { message: `'${model}' refuses.` } }));
    } else if (stream) response.end(chatStream(model));
    else response.end(completion(model));
  });
  const common = { upstreams: [{ name: 'gpu', url: upstream.url }] };
  gateway = await startGateway({
    config: {
      ...common,
      models: [
        { name: 'glm', upstreams: ['gpu'], upstream_model: PATH, aliases: ['gpt-4', 'quo"te', '*'] },
        { name: 'plain', upstreams: ['gpu'], aliases: ['simple'] },
      ],
      default_model: 'plain',
    },
  });
  strict = await startGateway({
    redis: gateway.redis,
    config: {
      ...common,
      models: [{ name: 'glm', upstreams: ['gpu'], upstream_model: PATH }],
      default_model: 'glm',
    },
  });
});

after(async () => {
  await strict.stop();
  await gateway.stop();
  await upstream.stop();
});

const names: [sent: string | undefined, arrives: string, answered: string, metric: string][] = [
  ['glm', PATH, 'glm', 'glm'],
  ['gpt-4', PATH, 'gpt-4', 'glm'],
  ['quo"te', PATH, 'quo"te', 'glm'],
  ['whatever-model', PATH, 'whatever-model', 'glm'],
  ['模型 \u{1f600} \\', PATH, '模型 \u{1f600} \\', 'glm'],
  ['$& $` $1', PATH, '$& $` $1', 'glm'],
  [PATH, PATH, PATH, 'glm'],
  ['plain', 'plain', 'plain', 'plain'],
  ['simple', 'plain', 'simple', 'plain'],
  [undefined, 'plain', 'plain', 'plain'],
];

for (const [sent, arrives, answered, metric] of names) {
  test(`${sent} goes out as ${arrives} and comes back as ${answered}`, async () => {
    const body = chat({ model: sent });
    const whole = await post('/v1/chat/completions', body);
    assert.equal(whole.body.toString(), completion(answered));
    assert.equal(arrived().model, arrives);

    const stream = await post('/v1/chat/completions', chat({ model: sent, stream: true }));
    assert.equal(stream.body.toString(), chatStream(answered));

    const asked = { model: sent, input: 'Hello' };
    const response = await post('/v1/responses', JSON.stringify(asked));
    assert.equal(response.body.toString(), responsesAnswer(answered));
    const events = await post('/v1/responses', JSON.stringify({ ...asked, stream: true }));
    assert.equal(events.body.toString(), responsesStream(answered));

    for (const reply of [whole, stream, response, events]) {
      if (sent !== PATH) assert.equal(reply.body.includes(PATH), false);
    }
    const line = (await gateway.logLines(4)).find(
      ({ request_id }) => request_id === events.headers['x-request-id'],
    );
    if (line) assert.equal(line.model, metric);
  });
}

for (const name of ['gpt-4', 'whatever', '$&', '$`']) {
  test(`an error names the model ${name} as the client did`, async () => {
    const messages = [{ role: 'user', content: 'refuse me' }];
    const reply = await post('/v1/chat/completions', chat({ model: name, messages }));
    const { message } = assertRefused(reply, 'upstream_rejected', 400);
    assert.equal(message, `'${name}' refuses.`);
  });
}

test('a default model serves who names none, and does not serve who names another', async () => {
  for (const model of [undefined, null]) {
    const reply = await post('/v1/chat/completions', chat({ model }), strict);
    assert.equal(reply.body.toString(), completion('glm'));
    assert.equal(arrived().model, PATH);
  }
  const reply = await post('/v1/chat/completions', chat({ model: 'other' }), strict);
  const { message } = assertRefused(reply, 'model_not_found');
  assert.equal(message, "The model 'other' does not exist.");
});

function post(path: string, body: string, to = gateway): Promise<Reply> {
  return send(to.url, path, { headers: bearer(to.key), body });
}

function arrived(): Record<string, unknown> {
  return JSON.parse(upstream.requests.at(-1)?.body ?? '') as Record<string, unknown>;
}

function events(...objects: unknown[]): string {
  return objects.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('');
}

function chatStream(model: string): string {
  const chunk = (content: string) => ({ id: '1', model, choices: [{ index: 0, delta: { content } }] });
  return `${events(chunk('Good'), chunk(' day: "model":"x"'))}data: [DONE]\n\n`;
}

function responsesAnswer(model: string): string {
  return JSON.stringify({
    id: 'resp_1',
    object: 'response',
    output: [{ model: 'inside' }],
    model,
    usage: null,
  });
}

function responsesStream(model: string): string {
  const response = { id: 'resp_1', object: 'response', model, output: [] };
  return events(
    { type: 'response.created', response: { ...response, status: 'in_progress' } },
    { type: 'response.output_text.delta', delta: 'the "model":"x"' },
    {
      type: 'response.completed',
      response: { ...response, status: 'completed', usage: { input_tokens: 5, output_tokens: 3 } },
    },
  );
}
