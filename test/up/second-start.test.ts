import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newFolder, start } from './support/start.ts';

test('a start beside a running one is refused with one line and harms nothing', async (context) => {
  const folder = newFolder(context);
  const first = start(context, folder);
  await first.line(/^Ready/);

  const second = await start(context, folder).ended();
  assert.equal(second.code, 1);
  assert.match(
    second.output,
    new RegExp(`^another start is running here \\(process ${first.pid}\\)\\. .+\\n$`),
  );

  const key = (await first.line(/^API key: /)).slice('API key: '.length);
  const url = /http:\S+/.exec(await first.line(/^gateway 1 +ready/))?.[0];
  const answer = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
});
