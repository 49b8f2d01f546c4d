/** What Prometheus finds wrong arrives where the example of an Alertmanager sends it, once, with links that lead on. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { startGateway, until } from '../support/gateway.ts';
import { missingPrograms, programPath } from '../support/programs.ts';
import { freePort } from '../support/redis.ts';
import { startDaemon } from './support/daemon.ts';
import { prometheusFolder, readRules } from './support/rules.ts';

const LIMIT_MS = 30_000;
const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../deploy/alertmanager/', import.meta.url));
const file = join(folder, 'alertmanager.yml');
const amtool = programPath('amtool') ?? 'amtool';

interface Configuration {
  global: Record<string, string>;
  route: Record<string, unknown> & { routes: Record<string, unknown>[] };
  inhibit_rules: { source_matchers: string[]; target_matchers: string[]; equal: string[] }[];
  receivers: {
    name: string;
    email_configs?: unknown;
    slack_configs?: { api_url_file: string }[];
    webhook_configs?: { url: string; http_config?: { authorization: { credentials_file: string } } }[];
  }[];
}

interface Message {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly text: string;
}

test('amtool takes the configuration', { skip: missingPrograms('amtool') }, async () => {
  await run(amtool, ['check-config', file]);
});

test('what is urgent calls somebody, and what is not does not', {
  skip: missingPrograms('amtool'),
}, async () => {
  const routeOf = (severity: string) =>
    run(amtool, ['config', 'routes', 'test', `--config.file=${file}`, `severity=${severity}`]);
  assert.equal((await routeOf('page')).stdout.trim(), 'pages');
  assert.equal((await routeOf('ticket')).stdout.trim(), 'tickets');
});

test('no secret stands in it', async () => {
  const secrets = /^\s*-?\s*\w*(password|api_url|token|secret|credentials|service_key|routing_key)\w*:/;
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const inline = line.replace(/^.*\{(?=\w+:)/, '');
    if (secrets.test(inline)) assert.match(inline, /_file: \/etc\/alertmanager\/secrets\//);
  }
});

test('what it holds back are alerts that there are, behind labels that they have in common', async () => {
  const { inhibit_rules: rules } = parse(await readFile(file, 'utf8')) as Configuration;
  const names = readRules()
    .filter(({ isAlert }) => isAlert)
    .map(({ name }) => name);
  const matchers = rules.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]);
  for (const name of matchers.flatMap((matcher) => matcher.match(/Sluice\w+/g) ?? [])) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(rules.every(({ equal }) => equal.includes('cluster')));
});

test('when the last gateway dies, a page arrives by chat, robot and text message, and no ticket beside it', {
  skip: missingPrograms('prometheus', 'prometheus-alertmanager'),
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const ends = new AsyncDisposableStack();
  t.after(() => ends.disposeAsync());
  const place = await mkdtemp(join(tmpdir(), 'sluice-alerts-'));
  ends.defer(() => rm(place, { recursive: true, force: true }));
  const receiver = await startReceiver(ends);
  const alertmanagerPort = await freePort();
  await configureAlertmanager(place, receiver.url);
  const alertmanager = await startDaemon(
    'prometheus-alertmanager',
    [
      ...[`--config.file=${join(place, 'alertmanager.yml')}`, `--storage.path=${join(place, 'silences')}`],
      ...[`--web.listen-address=127.0.0.1:${alertmanagerPort}`, '--cluster.listen-address='],
      '--log.level=error',
    ],
    `http://127.0.0.1:${alertmanagerPort}/-/ready`,
  );
  ends.defer(() => alertmanager.stop());
  const gateway = await startGateway({ makeKey: false });
  ends.defer(() => gateway.stop());
  const prometheus = await startWatching(ends, place, {
    gateways: new URL(gateway.adminUrl).host,
    alertmanagers: `127.0.0.1:${alertmanagerPort}`,
  });
  await until(() => prometheus.isUp('sluice-gateway'), 'a scrape of the gateway', LIMIT_MS);
  assert.deepEqual(receiver.messages, []);

  gateway.process.kill('SIGKILL');

  const arrived = async (path: string) => {
    await until(() => receiver.messages.some((one) => one.path === path), path, LIMIT_MS);
    return receiver.messages.find((one) => one.path === path) as Message;
  };
  const slack = JSON.parse((await arrived('/slack')).text);
  assert.equal(slack.channel, '#gpu-oncall');
  const [attachment] = slack.attachments;
  assert.equal(attachment.title, 'PAGE: SluiceGatewaysDown (test)');
  const [summary, , runbook, panel] = attachment.text.split('\n');
  assert.equal(summary, 'Cluster test: no gateway can be scraped');
  assert.match(runbook, /^Runbook: https:\/\/\S+\/deploy\/prometheus\/RUNBOOK\.md#sluicegatewaysdown$/);
  assert.match(panel, /^Panel: https:\/\/\S+\/d\/sluice-overview\?viewPanel=7&var-cluster=test$/);
  const robot = JSON.parse((await arrived('/dingtalk')).text);
  assert.deepEqual([robot.version, robot.status, robot.receiver], ['4', 'firing', 'pages']);
  assert.equal(robot.alerts[0].labels.severity, 'page');
  assert.equal((await arrived('/sms')).authorization, 'Bearer a-token-of-the-bridge');

  await t.test('the target that is down is known, and held back', async () => {
    const isHeldBack = async () => {
      const answer = await fetch(`http://127.0.0.1:${alertmanagerPort}/api/v2/alerts`);
      const alerts = (await answer.json()) as {
        labels: { alertname: string };
        status: { inhibitedBy: string[] };
      }[];
      const target = alerts.find(({ labels }) => labels.alertname === 'SluiceTargetDown');
      return target !== undefined && target.status.inhibitedBy.length > 0;
    };
    await until(isHeldBack, 'SluiceTargetDown', LIMIT_MS);
    assert.ok(receiver.messages.every(({ text }) => !text.includes('SluiceTargetDown')));
  });
});

/** Takes what is sent to Slack and to the bridges. */
async function startReceiver(ends: AsyncDisposableStack) {
  const messages: Message[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    messages.push({ path: request.url ?? '', authorization: request.headers.authorization, text });
    response.end('ok');
  }).listen(0, '127.0.0.1');
  ends.defer(() => void server.close());
  await once(server, 'listening');
  return { messages, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The project's own, in a hurry, with the receiver in the place of Slack and of both bridges, and without mail. */
async function configureAlertmanager(place: string, receiver: string): Promise<void> {
  const config = parse(await readFile(file, 'utf8')) as Configuration;
  for (const route of [config.route, ...config.route.routes]) {
    Object.assign(route, { group_wait: '100ms', group_interval: '1s' });
  }
  for (const name of Object.keys(config.global)) if (name.startsWith('smtp_')) delete config.global[name];
  await writeFile(join(place, 'slack_url'), `${receiver}/slack`);
  await writeFile(join(place, 'sms_bridge_token'), 'a-token-of-the-bridge');
  for (const one of config.receivers) {
    delete one.email_configs;
    for (const slack of one.slack_configs ?? []) slack.api_url_file = join(place, 'slack_url');
    for (const hook of one.webhook_configs ?? []) {
      hook.url = `${receiver}/${new URL(hook.url).hostname.replace('-bridge', '')}`;
      if (hook.http_config) hook.http_config.authorization.credentials_file = join(place, 'sms_bridge_token');
    }
  }
  await cp(join(folder, 'templates'), join(place, 'templates'), { recursive: true });
  await writeFile(join(place, 'alertmanager.yml'), stringify(config));
}

/** Prometheus with the project's own configuration and rules, which scrapes each second and does not wait to be sure. */
async function startWatching(
  ends: AsyncDisposableStack,
  place: string,
  targets: Readonly<Record<'gateways' | 'alertmanagers', string>>,
) {
  await mkdir(join(place, 'rules'));
  await mkdir(join(place, 'targets'));
  const rules = parse(await readFile(join(prometheusFolder, 'rules/replicas.yaml'), 'utf8')) as {
    groups: { rules: { for?: string }[] }[];
  };
  for (const rule of rules.groups.flatMap((group) => group.rules)) delete rule.for;
  await writeFile(join(place, 'rules/replicas.yaml'), stringify(rules));
  const config = parse(await readFile(join(prometheusFolder, 'prometheus.yml'), 'utf8'));
  config.global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  await writeFile(join(place, 'prometheus.yml'), stringify(config));
  for (const [name, target] of Object.entries(targets)) {
    const group = { targets: [target], labels: { cluster: 'test' } };
    await writeFile(join(place, `targets/${name}.yaml`), stringify([group]));
  }
  const url = `http://127.0.0.1:${await freePort()}`;
  const prometheus = await startDaemon(
    'prometheus',
    [
      ...[`--config.file=${join(place, 'prometheus.yml')}`, `--storage.tsdb.path=${join(place, 'data')}`],
      ...[`--web.listen-address=${new URL(url).host}`, '--log.level=error'],
    ],
    `${url}/-/ready`,
  );
  ends.defer(() => prometheus.stop());
  return {
    async isUp(job: string): Promise<boolean> {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(`up{job="${job}"} == 1`)}`);
      const { data } = (await answer.json()) as { data: { result: unknown[] } };
      return data.result.length === 1;
    },
  };
}
