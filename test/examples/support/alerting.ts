/**
 * Prometheus and Alertmanager as `deploy/` has them, in a hurry, with receivers for mail, Slack and the bridges to
 * DingTalk and text messages.
 */
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { freePort } from '../../support/redis.ts';
import { startDaemon } from '../../watch/support/daemon.ts';

const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url));

export interface Alerting {
  /** Mails, with their heads. */
  readonly mails: readonly string[];
  /** What was posted, by path: `/slack`, `/dingtalk`, `/sms`. */
  readonly posts: readonly { readonly path: string; readonly text: string }[];
}

/** @param ends what has been started, to be ended in the opposite order */
export async function startAlerting(ends: AsyncDisposableStack, gatewayAdminUrl: string): Promise<Alerting> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-alerting-'));
  ends.defer(() => rm(folder, { recursive: true, force: true }));
  const posts: { path: string; text: string }[] = [];
  const mails: string[] = [];
  const receiver = await startReceiver(ends, posts);
  const mailHost = await startMailServer(ends, mails);
  await writeAlertmanager(folder, receiver, mailHost);
  const alertmanager = await startProgram(ends, 'prometheus-alertmanager', (address) => [
    ...[`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${join(folder, 'silences')}`],
    ...[`--web.listen-address=${address}`, '--cluster.listen-address=', '--log.level=error'],
  ]);
  const targets = { gateways: new URL(gatewayAdminUrl).host, alertmanagers: alertmanager };
  await writePrometheus(folder, targets);
  await startProgram(ends, 'prometheus', (address) => [
    ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    ...[`--web.listen-address=${address}`, '--log.level=error'],
  ]);
  return { mails, posts };
}

/** @returns its address */
async function startProgram(
  ends: AsyncDisposableStack,
  program: string,
  parameters: (address: string) => string[],
): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon(program, parameters(address), `http://${address}/-/ready`);
  ends.defer(() => daemon.stop());
  return address;
}

async function startReceiver(
  ends: AsyncDisposableStack,
  posts: { path: string; text: string }[],
): Promise<string> {
  const server = createHttpServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    posts.push({ path: request.url ?? '', text });
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** As much of SMTP as it takes to get a mail. */
async function startMailServer(ends: AsyncDisposableStack, mails: string[]): Promise<string> {
  const server = createTcpServer((socket) => {
    let [heard, mail]: [string, string | undefined] = ['', undefined];
    socket.on('error', () => undefined).setEncoding('utf8');
    socket.write('220 here\r\n');
    socket.on('data', (piece: string) => {
      heard += piece;
      for (let end = heard.indexOf('\r\n'); end >= 0; end = heard.indexOf('\r\n')) {
        const line = heard.slice(0, end);
        heard = heard.slice(end + 2);
        if (mail !== undefined && line !== '.') {
          mail += `${line}\n`;
          continue;
        }
        if (mail !== undefined) mails.push(mail);
        mail = line === 'DATA' ? '' : undefined;
        socket.write(line === 'DATA' ? '354 go on\r\n' : '250 ok\r\n');
        if (line === 'QUIT') socket.end();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.defer(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface AlertmanagerConfig {
  global: Record<string, unknown>;
  route: object & { routes: object[] };
  receivers: {
    slack_configs?: { api_url_file: string }[];
    webhook_configs?: { url: string; http_config?: { authorization: { credentials_file: string } } }[];
  }[];
}

async function writeAlertmanager(folder: string, receiver: string, mailHost: string): Promise<void> {
  const source = join(deploy, 'alertmanager');
  const config = parse(await readFile(join(source, 'alertmanager.yml'), 'utf8')) as AlertmanagerConfig;
  for (const route of [config.route, ...config.route.routes]) {
    Object.assign(route, { group_wait: '100ms', group_interval: '1s' });
  }
  // The server of this test wants neither a password nor TLS.
  const { smtp_auth_username: _name, smtp_auth_password_file: _file, ...global } = config.global;
  config.global = { ...global, smtp_smarthost: mailHost, smtp_require_tls: false };
  const secret = join(folder, 'secret');
  await writeFile(secret, `${receiver}/slack`);
  for (const { slack_configs = [], webhook_configs = [] } of config.receivers) {
    for (const slack of slack_configs) slack.api_url_file = secret;
    for (const hook of webhook_configs) {
      hook.url = `${receiver}/${new URL(hook.url).hostname.replace('-bridge', '')}`;
      delete hook.http_config;
    }
  }
  await cp(join(source, 'templates'), join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, 'alertmanager.yml'), stringify(config));
}

/** It scrapes each second, and does not wait to be sure. */
async function writePrometheus(
  folder: string,
  targets: Readonly<Record<'gateways' | 'alertmanagers', string>>,
): Promise<void> {
  const source = join(deploy, 'prometheus');
  await mkdir(join(folder, 'rules'));
  await mkdir(join(folder, 'targets'));
  const rules = parse(await readFile(join(source, 'rules/upstreams.yaml'), 'utf8')) as {
    groups: { rules: { for?: string }[] }[];
  };
  for (const rule of rules.groups.flatMap((group) => group.rules)) delete rule.for;
  await writeFile(join(folder, 'rules/upstreams.yaml'), stringify(rules));
  const config = parse(await readFile(join(source, 'prometheus.yml'), 'utf8'));
  config.global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  await writeFile(join(folder, 'prometheus.yml'), stringify(config));
  for (const [name, target] of Object.entries(targets)) {
    const group = { targets: [target], labels: { cluster: 'test' } };
    await writeFile(join(folder, `targets/${name}.yaml`), stringify([group]));
  }
}
