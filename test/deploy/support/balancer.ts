/**
 * Real nginx and real HAProxy with the configurations of `deploy/`, of which only ports, addresses and the places of
 * certificate and log are replaced.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../../support/gateway.ts';
import { programPath } from '../../support/programs.ts';
import { freePort } from '../../support/redis.ts';

export type BalancerName = 'nginx' | 'haproxy';

export interface Balancer {
  readonly name: BalancerName;
  /** Of the HTTPS listener. */
  readonly port: number;
  /** Of the listener that redirects. */
  readonly plainPort: number;
  /** Certificate to trust; it is for `localhost`. */
  readonly ca: string;
  /** Its access log so far. */
  log(): Promise<string>;
  /** What it says about its configuration: exit code 0 or not, and its words. */
  check(): Promise<{ ok: boolean; said: string }>;
  stop(): Promise<void>;
}

interface BalancerOptions {
  /** Addresses of gateways, `http://host:port`. */
  readonly gateways: readonly string[];
  /** Texts of the configuration to be replaced, such as a time-out that no test can wait for. */
  readonly changes?: Readonly<Record<string, string>>;
}

interface Place extends BalancerOptions {
  readonly folder: string;
  readonly port: number;
  readonly plainPort: number;
}

const run = promisify(execFile);
const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url));

/** Ends the server when the pipe from the test process closes, however that comes about. */
const guard = `
  exec 3<&0 </dev/null
  "$@" 3<&- & server=$!
  ( cat <&3 >/dev/null; kill -TERM "$server" ) 2>/dev/null &
  wait "$server"
`;

export async function startBalancer(name: BalancerName, options: BalancerOptions): Promise<Balancer> {
  const folder = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
  // Workers of nginx are nobody, and have to reach their folders in it.
  await chmod(folder, 0o755);
  const place = { ...options, folder, port: await freePort(), plainPort: await freePort() };
  const certificate = await makeCertificate(folder);
  const { command, check, logFile } = name === 'nginx' ? await nginxIn(place) : await haproxyIn(place);
  const said = { text: '' };
  const child = spawn('sh', ['-c', guard, 'sh', ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
  const hear = (piece: Buffer) => {
    said.text += piece.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const exited = once(child, 'exit');
  const isUp = () => {
    if (child.exitCode !== null) throw new Error(`${name} did not start: ${said.text}`);
    return answers(place.port);
  };
  await until(isUp, `${name} to listen`);
  return {
    name,
    port: place.port,
    plainPort: place.plainPort,
    ca: certificate,
    log: async () => (logFile === undefined ? said.text : readFile(logFile, 'utf8')),
    check: () => checkBy(check),
    async stop() {
      child.stdin.end();
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function nginxIn({ folder, port, plainPort, gateways, changes = {} }: Place) {
  const parts = join(folder, 'sluice');
  await mkdir(parts);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  await write(join(folder, 'nginx.conf'), 'nginx/nginx.conf', {
    'http {': `http { ${temporary.join(' ')}`,
    'worker_rlimit_nofile 131072;': '',
    'worker_connections 65536;': 'worker_connections 1024;',
  });
  await write(join(parts, 'sluice.conf'), 'nginx/sluice.conf', {
    'listen 80 default_server;': `listen 127.0.0.1:${plainPort} default_server;`,
    'listen 443 ssl http2 default_server;': `listen 127.0.0.1:${port} ssl http2 default_server;`,
    'listen [::]:80 default_server;': '',
    'listen [::]:443 ssl http2 default_server;': '',
    '/var/log/nginx/': `${folder}/`,
    ...changes,
  });
  const servers = gateways.map((url) => `server ${new URL(url).host} max_fails=0;\n`);
  await writeFile(join(parts, 'gateways.conf'), servers.join(''));
  for (const file of ['tls.crt', 'tls.key']) await copyFile(join(folder, file), join(parts, file));
  const program = programPath('nginx') ?? 'nginx';
  const settings = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  const pid = `pid ${join(folder, 'nginx.pid')};`;
  return {
    command: [program, ...settings, '-g', `daemon off; ${pid}`],
    check: [program, '-t', ...settings, '-g', pid],
    logFile: join(folder, 'sluice.log'),
  };
}

async function haproxyIn({ folder, port, plainPort, gateways, changes = {} }: Place) {
  const servers = gateways.map((url, at) => `server gateway-${at + 1} ${new URL(url).host}`);
  const file = join(folder, 'haproxy.cfg');
  await write(file, 'haproxy/haproxy.cfg', {
    'bind :80': `bind 127.0.0.1:${plainPort}`,
    'bind :443': `bind 127.0.0.1:${port}`,
    '/etc/haproxy/sluice.pem': join(folder, 'sluice.pem'),
    'log /dev/log local0': 'log stdout format raw local0',
    'maxconn 50000': 'maxconn 1000',
    // Only root can become somebody else.
    ...(process.getuid?.() === 0 ? {} : { 'user haproxy': '', 'group haproxy': '' }),
    'server gateway-1 127.0.0.1:8080': servers[0] ?? '',
    'server gateway-2 127.0.0.1:8090': servers.slice(1).join('\n    '),
    ...changes,
  });
  const program = programPath('haproxy') ?? 'haproxy';
  return { command: [program, '-db', '-f', file], check: [program, '-c', '-f', file], logFile: undefined };
}

/** Fails where a text is not there, so that a test cannot go on trying what the file no longer says. */
async function write(path: string, source: string, changes: Readonly<Record<string, string>>): Promise<void> {
  let text = await readFile(join(deploy, source), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${source} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  await writeFile(path, text);
}

async function makeCertificate(folder: string): Promise<string> {
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  const wanted =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run('openssl', [...wanted.split(' '), ...names, '-keyout', key, '-out', certificate]);
  const text = await readFile(certificate, 'utf8');
  await writeFile(join(folder, 'sluice.pem'), `${text}${await readFile(key, 'utf8')}`);
  return text;
}

async function checkBy([program = '', ...parameters]: readonly string[]) {
  try {
    const { stdout, stderr } = await run(program, parameters);
    return { ok: true, said: `${stdout}${stderr}` };
  } catch (error) {
    return { ok: false, said: String(error) };
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
