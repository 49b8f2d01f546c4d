import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { newFolder, start } from './support/start.ts';

/** Listens as a gateway would: a second listener on such a port meets no error. */
async function stranger(context: TestContext): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: true });
  context.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

for (const variable of ['PORT', 'ADMIN_PORT']) {
  test(`a taken ${variable} is one clear line, even where it could be shared`, async (context) => {
    const folder = newFolder(context);
    const port = await stranger(context);
    const { code, output } = await start(context, folder, { [variable]: String(port) }).ended();
    assert.equal(code, 1);
    assert.equal(output, `port ${port} is taken by another program. Set ${variable} to a free one.\n`);
    assert.equal(existsSync(folder.notesFile), false, 'nothing was started');
  });
}

test('a port that is both public and for the admin is refused', async (context) => {
  const folder = newFolder(context);
  const { code, output } = await start(context, folder, { PORT: '18091', ADMIN_PORT: '18081' }).ended();
  assert.equal(code, 1);
  assert.match(output, /^port 18091 is needed twice, .+\n$/);
});
