/** Each example starts when it is named, on a machine that has none of its servers, and says what is not there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { loadConfig } from '../../src/config/load.ts';
import { freePort } from '../support/redis.ts';
import { newFolder, printedKey, realUp, start } from '../up/support/start.ts';
import { type ExampleName, exampleNames, exampleText, pathOf } from './support/example.ts';

const runs = promisify(execFile);

for (const name of exampleNames) {
  test(`${name} is a valid configuration without warnings`, () => {
    const env = {
      SLUICE_SECRET: 'a secret of at least 32 characters',
      SLUICE_CONFIG: pathOf(name, 'sluice.yaml'),
    };
    const loaded = loadConfig({ env });
    assert.deepEqual(loaded.ok ? loaded.warnings : loaded.faults, []);
  });

  test(`the README of ${name} names the file, and the stand-in of each of its servers`, () => {
    const readme = readFileSync(pathOf(name, 'README.md'), 'utf8');
    assert.ok(readme.includes(`SLUICE_CONFIG=deploy/examples/${name}/sluice.yaml npm start &\n`));
    const ports = addressesIn(name).map((address) => new URL(address).port);
    const standIns = [...readme.matchAll(/ simulator --port (\d+)/g)].map(([, port]) => port);
    assert.deepEqual(standIns, ports);
  });
}

const absent = {
  'text-model': { servers: ['vllm'], health: { models: { 'glm-4.7-flash': 'unreachable' } } },
  'vision-model': {
    servers: ['vision-1', 'vision-2', 'vision-3'],
    health: { models: { 'step3-vl-10b': 'unreachable' } },
  },
  'plain-model': { servers: ['predictor'], health: { models: {}, routes: { '/predict': 'unreachable' } } },
} as const satisfies Record<ExampleName, unknown>;

for (const name of exampleNames) {
  test(`${name} starts without its servers, names them, and its printed call gets a 503`, async (context) => {
    const folder = newFolder(context);
    const addresses = await Promise.all(
      addressesIn(name).map(async (from) => [from, `http://127.0.0.1:${await freePort()}`] as const),
    );
    const file = join(folder.home, '..', 'sluice.yaml');
    writeFileSync(file, exampleText(name, Object.fromEntries(addresses)));
    const started = start(context, folder, { SLUICE_CONFIG: file, GATEWAYS: '1' }, realUp);

    const { servers, health } = absent[name];
    const missing = await started.line(/^Not there yet/);
    const told = servers.map((server, index) => `${server} (${addresses[index]?.[1]}, unreachable)`);
    assert.equal(missing, `Not there yet: ${told.join(', ')}. Calls that find no server get 503.`);

    const curl = (await started.line(/^ {2}curl /)).trim();
    const { stdout } = await runs('sh', ['-c', `${curl} -sS -w '%{http_code}' --max-time 20`]);
    const { error } = JSON.parse(stdout.slice(0, -3));
    assert.deepEqual([stdout.slice(-3), error.code], ['503', 'upstream_unavailable']);
    assert.match(error.message, /cannot be reached|No server/);

    const [, url] = /(http:\/\/[^/ ]+)/.exec(curl) ?? [];
    const answer = await fetch(`${url}/health`);
    const body = (await answer.json()) as Record<string, unknown>;
    const { status, gateway, redis, timestamp, ...rest } = body;
    assert.deepEqual([answer.status, status, gateway, redis], [200, 'ok', 'ok', 'ok']);
    assert.deepEqual(rest, health);
    assert.match(await printedKey(started), /^slc_/);
  });
}

function addressesIn(name: ExampleName): string[] {
  return [...exampleText(name).matchAll(/^ *url: (\S+)$/gm)].map(([, address = '']) => address);
}
