/** `sluice top` on a real terminal, beside a real gateway that has calls; it leaves the terminal as it was. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../support/gateway.ts';
import { missingPrograms, programPath } from '../support/programs.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { sluice } from './run.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';
const HOME = '\u001b[H';
/** The pty of Linux: `script` of util-linux, and `stty` that takes the name of a terminal. */
const skip = process.platform === 'linux' ? missingPrograms('script', 'stty') : 'needs the pty of Linux';

let upstream: TestUpstream;
let gateway: TestGateway;
let calling = true;
let calls: Promise<void>;
let env: Record<string, string>;

before(async () => {
  upstream = await startUpstream((_request, response) => {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ choices: [{ index: 0, message: { content: 'hi' } }], usage }));
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu-1', url: upstream.url }],
      models: [{ name: 'small', upstreams: ['gpu-1'] }],
    },
  });
  env = {
    SLUICE_ADMIN_URL: gateway.adminUrl,
    SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
    PATH: process.env.PATH ?? '',
    NO_COLOR: '1',
  };
  calls = call();
});
after(async () => {
  calling = false;
  await calls;
  await gateway.stop();
  await upstream.stop();
});

async function call(): Promise<void> {
  const headers = { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'Hello' }] });
  while (calling) {
    await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })).text();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Pty {
  readonly #script: ChildProcessWithoutNullStreams;
  readonly ended: Promise<unknown[]>;
  text = '';

  constructor(context: TestContext) {
    const command = `stty rows 24 cols 80; echo "tty=$(tty) pid=$$ end"; exec ${process.execPath} ${main} top --interval 0.2`;
    this.#script = spawn(programPath('script') ?? 'script', ['-qfec', command, '/dev/null'], {
      env: { ...env, SHELL: '/bin/sh' },
      cwd: tmpdir(),
    });
    this.ended = once(this.#script, 'close');
    this.#script.stdout.on('data', (text) => {
      this.text += text;
      this.#script.emit('shown');
    });
    context.after(() => this.#script.kill('SIGKILL'));
  }

  /** @param from where in what has been shown; the test's own limit bounds the wait */
  async until(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.text.slice(from));
      if (found) return found;
      await Promise.race([
        once(this.#script, 'shown'),
        this.ended.then(() => {
          throw new Error(`it ended without ${pattern}:\n${stripVTControlCharacters(this.text)}`);
        }),
      ]);
    }
  }

  async said(name: 'tty' | 'pid'): Promise<string> {
    return (await this.until(new RegExp(`${name}=(\\S+)`)))[1] ?? '';
  }

  type(keys: string): void {
    this.#script.stdin.write(keys);
  }
}

test('it shows what is going on, follows the size of the terminal, and q gives the terminal back', {
  skip,
}, async (context) => {
  const pty = new Pty(context);
  await pty.until(/requests +[1-9]\S*\/s/);
  await pty.until(/^gpu-1 +up +\d+ /m);
  await pty.until(/^acme +[1-9]/m);
  await pty.until(/tokens\/s +[1-9]\S* in \(0 cached\), [1-9]/);
  await pty.until(/jobs +0 waiting/);
  assert.ok(pty.text.includes(ENTER));

  const before = pty.text.length;
  execFileSync('stty', ['-F', await pty.said('tty'), 'rows', '8', 'cols', '40']);
  const isSmall = (frame: string) => {
    const lines = stripVTControlCharacters(frame).split(/\r+\n/);
    return lines.length === 8 && lines.every((line) => line.length <= 40);
  };
  while (!pty.text.slice(before).split(HOME).slice(1, -1).some(isSmall)) {
    await pty.until(/requests/, pty.text.length);
  }

  pty.type('q');
  assert.deepEqual(await pty.ended, [0, null]);
  assert.ok(pty.text.endsWith(LEAVE), JSON.stringify(pty.text.slice(-80)));
});

for (const [name, end] of [
  ['Ctrl-C', async (pty: Pty) => pty.type('\u0003')],
  ['SIGTERM', async (pty: Pty) => process.kill(Number(await pty.said('pid')), 'SIGTERM')],
] as const) {
  test(`${name} gives the terminal back too`, { skip }, async (context) => {
    const pty = new Pty(context);
    await pty.until(/UPSTREAM/);
    await end(pty);
    assert.deepEqual(await pty.ended, [0, null]);
    assert.ok(pty.text.endsWith(LEAVE));
  });
}

test('--once is one frame for a pipe, and --json the same for programs', async () => {
  const [once, json] = await Promise.all([
    sluice(['top', '--once', '--interval', '0.5'], { env }),
    sluice(['top', '--json', '--interval', '0.5'], { env }),
  ]);
  assert.deepEqual([once.exitCode, once.stderr], [0, '']);
  assert.match(once.stdout, /^requests +[1-9]/m);
  assert.ok(!once.stdout.includes('\u001b'));
  const figures = JSON.parse(json.stdout);
  assert.ok(figures.requests_per_second > 0);
  assert.equal(figures.upstreams[0].name, 'gpu-1');
  assert.equal(figures.tenants[0].name, 'acme');
});

test('a pipe without --once is refused, and so is a gateway that is not there', async () => {
  const piped = await sluice(['top'], { env });
  assert.equal(piped.exitCode, 2);
  assert.match(piped.stderr, /needs a terminal\. With --once/);
  const away = await sluice(['top', '--once', '--at', 'http://127.0.0.1:18'], { env });
  assert.equal(away.exitCode, 1);
  assert.match(away.stderr, /cannot be reached.* name it with --at/);
});
