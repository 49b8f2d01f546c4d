/** The official client's embeddings, as floats and as base64, and its list of models. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulated } from '../upstream/support/simulated.ts';
import { model, officialClient } from './official.ts';

const house = simulated({ model: { context_length: 4_096 } });
const input = ['one', 'two'];

test('embeddings are the same as floats, as base64, and as the client asks by itself', async () => {
  const openai = officialClient(house.gateway);
  const floats = await openai.embeddings.create({ model, input, encoding_format: 'float' });
  const byDefault = await openai.embeddings.create({ model, input });
  const coded = await openai.embeddings.create({ model, input, encoding_format: 'base64' });
  assert.equal(floats.model, model);
  assert.equal(floats.data.length, 2);
  assert.equal(floats.usage.prompt_tokens, 2);
  for (const [index, { embedding }] of floats.data.entries()) {
    const single = [...new Float32Array(embedding)];
    assert.deepEqual(byDefault.data[index]?.embedding, single);
    const bytes = Buffer.from(String(coded.data[index]?.embedding), 'base64');
    assert.deepEqual([...new Float32Array(new Uint8Array(bytes).buffer)], single);
  }
});

test('models: listed and retrieved under their public names', async () => {
  const openai = officialClient(house.gateway);
  const { data } = await openai.models.list();
  assert.deepEqual(
    data.map(({ id, object }) => [id, object]),
    [[model, 'model']],
  );
  const one = await openai.models.retrieve(model);
  assert.equal(one.id, model);
});
