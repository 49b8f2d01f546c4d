import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { variables } from '../../src/config/environment.ts';
import { configSchema } from '../../src/config/schema.ts';
import { missingPrograms } from '../support/programs.ts';
import { bytesOf, composeFolder, composeText, mountsOf, readCompose } from './support/compose-file.ts';

const compose = readCompose();
const services = Object.entries(compose.services);
const own = services.filter(([, { image }]) => image.startsWith('sluice:'));
const noOpenssl = missingPrograms('openssl');
const settings = parse(readFileSync(join(composeFolder, 'sluice.yaml'), 'utf8'));
const config = configSchema.parse({ ...settings, secret: 's'.repeat(32) });

function makeSecrets(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  runSecrets(folder);
  return folder;
}

function runSecrets(folder: string): void {
  const { status, stderr } = spawnSync('sh', [join(composeFolder, 'secrets.sh'), folder], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
}

test('the file fits the schema of compose files, which knows what is misspelt', () => {
  const wrong = composeText().replace('read_only: true', 'readonly: true');
  assert.throws(() => readCompose(wrong), /unevaluated properties/);
});

test('every service is held to what it needs', () => {
  for (const [name, service] of services) {
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
    assert.equal(service.restart, 'unless-stopped', name);
    assert.ok(service.logging?.options['max-size'], name);
    assert.ok(bytesOf(service.deploy?.resources.limits.memory ?? '') > 0, name);
    assert.match(service.image, /:v?\d+\.\d+\.\d+(-\w+)?$/, name);
    // The image of Sluice names its user and its check itself.
    if (service.image.startsWith('sluice:')) continue;
    assert.match(service.user ?? '', /^[1-9]\d*:\d+$/, name);
    assert.ok(service.healthcheck, name);
  }
});

test('only the public listener is open to others', () => {
  const open = services.filter(([, { ports }]) => ports?.some((port) => !port.startsWith('127.0.0.1:')));
  assert.deepEqual(
    open.map(([name]) => name),
    ['nginx'],
  );
});

test('whoever drains has the time that it may take', () => {
  const drainSeconds = config.drain.limit_seconds + config.drain.quiet_seconds + 5;
  for (const [name, { command, stop_grace_period = '10s' }] of own) {
    if (command[0] === 'simulator') continue;
    assert.ok(Number.parseInt(stop_grace_period, 10) >= drainSeconds, name);
  }
  assert.ok(Number.parseInt(compose.services.nginx?.stop_grace_period ?? '', 10) >= drainSeconds);
});

test('names lead to what there is', () => {
  for (const [name, service] of services) {
    for (const { source, mode } of mountsOf(service)) {
      const isFile = source.startsWith('.');
      if (!isFile) assert.ok(source in compose.volumes, `${name}: ${source}`);
      else if (!source.startsWith('./secrets/'))
        assert.ok(existsSync(join(composeFolder, source)), `${name}: ${source}`);
      if (isFile) assert.equal(mode, 'ro', `${name}: ${source}`);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const needed = compose.services[other];
      assert.ok(needed, `${name}: ${other}`);
      if (condition === 'service_healthy') assert.ok(needed.healthcheck || needed.build, `${name}: ${other}`);
    }
    const networks = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks);
    for (const network of networks) assert.ok(network in compose.networks, `${name}: ${network}`);
    const known = new Set(variables.map((variable) => variable.name + (variable.secret ? '_FILE' : '')));
    if (!own.some(([one]) => one === name)) continue;
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      assert.ok(variable === 'SLUICE_CONFIG' || known.has(variable), variable);
      if (variable.endsWith('_FILE'))
        assert.ok(service.secrets?.includes(value.replace('/run/secrets/', '')), value);
    }
  }
});

test('nginx and Prometheus know every gateway and worker by name and port', () => {
  const read = (path: string) => readFileSync(join(composeFolder, path), 'utf8');
  const named = (role: string) => own.filter(([, { command }]) => command[0] === role).map(([name]) => name);
  assert.deepEqual(
    [...read('gateways.conf').matchAll(/^server (\S+) max_fails=0;$/gm)].map(([, address]) => address),
    named('gateway').map((name) => `${name}:${config.listen.port}`),
  );
  const targets = (path: string) =>
    parse(read(path)).flatMap((group: { targets: string[] }) => group.targets);
  assert.deepEqual(
    targets('targets/gateways.yaml'),
    named('gateway').map((name) => `${name}:${config.admin.port}`),
  );
  assert.deepEqual(
    targets('targets/workers.yaml'),
    named('worker').map((name) => `${name}:8082`),
  );
  assert.deepEqual(targets('targets/alertmanagers.yaml'), ['alertmanager:9093']);
});

test('neither Redis throws anything away, and both keep what they have', () => {
  for (const name of ['redis-limits', 'redis-queue']) {
    const service = compose.services[name] ?? assert.fail(name);
    const [file] = mountsOf(service).filter(({ target }) => target === service.command[1]);
    const inFile = readFileSync(join(composeFolder, file?.source ?? ''), 'utf8').matchAll(
      /^([\w-]+) (.*)$/gm,
    );
    const settings = new Map([...inFile].map(([, option, value]) => [option, value ?? '']));
    service.command.forEach((word, index) => {
      if (word.startsWith('--')) settings.set(word.slice(2), service.command[index + 1] ?? '');
    });
    assert.equal(settings.get('maxmemory-policy'), 'noeviction');
    assert.equal(settings.get('appendonly'), 'yes');
    assert.equal(settings.get('appendfsync'), 'everysec');
    // While the log is written anew, changed pages exist twice.
    const memory = bytesOf(service.deploy?.resources.limits.memory ?? '');
    assert.ok(2 * bytesOf(settings.get('maxmemory') ?? '') <= memory, name);
  }
});

test('secrets.sh makes what the file names, for nobody else, and never twice', {
  skip: noOpenssl,
}, (context) => {
  const folder = makeSecrets(context);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const mounted = services.flatMap(([, service]) => mountsOf(service).map(({ source }) => source));
  const named = [...Object.values(compose.secrets).map(({ file }) => file), ...mounted]
    .filter((path) => path.startsWith('./secrets/'))
    .map((path) => path.replace('./secrets/', ''));
  const contents = () =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  const made = contents();
  for (const name of named) assert.ok(made[name], name);
  const random = [
    'sluice-secret',
    'admin-token',
    'redis-limits-password',
    'redis-queue-password',
    'grafana-password',
  ];
  assert.equal(new Set(random.map((name) => made[name])).size, random.length);
  // The containers' users are others than the one who made them.
  for (const name of Object.keys(made)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o444, name);

  runSecrets(folder);
  assert.deepEqual(contents(), made);
});

test('scripts are shell that every system has', () => {
  for (const name of ['up.sh', 'secrets.sh'])
    assert.equal(spawnSync('sh', ['-n', join(composeFolder, name)]).status, 0, name);
});

const noPromtool = missingPrograms('promtool');
test('Prometheus takes its configuration as it is mounted', { skip: noPromtool }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const { prometheus } = compose.services;
  for (const { source, target } of mountsOf(prometheus ?? assert.fail()).filter(
    (mount) => mount.mode === 'ro',
  )) {
    const from = join(composeFolder, source);
    spawnSync('mkdir', ['-p', join(folder, target, '..')]);
    assert.equal(spawnSync('cp', ['-r', from, join(folder, target)]).status, 0);
  }
  const { status, stdout, stderr } = spawnSync(
    'promtool',
    ['check', 'config', join(folder, 'etc/prometheus/prometheus.yml')],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /rule files found/);
});
