/**
 * A small process between `up` and the private Redis. It ends Redis when its parent is gone, however that ended,
 * and takes no signals: one that goes to everything at once must not take Redis from gateways that still drain.
 *
 * Arguments: the server's binary, its configuration file, its pid file. REDIS_URL says where it will listen.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { announceReady } from '../lifecycle.ts';
import { readText } from './home.ts';

/** Redis writes out its append-only file before it leaves. */
const END_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 1_000;
const PROBE_PAUSE_MS = 20;

const [binary = '', configFile = '', pidFile = ''] = process.argv.slice(2);
const address = new URL(process.env.REDIS_URL ?? '');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

await endPredecessor();
if (process.connected) guard(spawn(binary, [configFile], { stdio: ['ignore', 'inherit', 'inherit'] }));

function guard(server: ChildProcess): void {
  const end = () => {
    server.kill('SIGTERM');
    setTimeout(() => server.kill('SIGKILL'), END_TIMEOUT_MS).unref();
  };
  server.once('error', (error) => {
    process.stderr.write(`${binary}: ${error.message}\n`);
    process.exit(1);
  });
  server.once('exit', () => process.exit(process.connected ? 1 : 0));
  process.on('disconnect', end);
  if (process.connected) void announceWhenServing();
  else end();
}

async function announceWhenServing(): Promise<void> {
  while (!(await serves())) await pause(PROBE_PAUSE_MS);
  if (process.connected) announceReady('redis', { redis: address.host });
}

/** False also while it still loads its data. */
function serves(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address.hostname, port: Number(address.port) });
    let answer = '';
    const finish = () => {
      socket.destroy();
      resolve(answer.endsWith('+PONG\r\n'));
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, finish);
    socket.once('error', finish);
    socket.once('end', finish);
    socket.once('connect', () => socket.write(`AUTH ${address.password}\r\nPING\r\n`));
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.split('\r\n').length > 2) finish();
    });
  });
}

/**
 * A guard that was itself killed leaves its Redis running on the same files. Two servers would ruin them, so the
 * old one is ended first, if the process of that number really is a Redis with this configuration file.
 */
async function endPredecessor(): Promise<void> {
  const pid = Number(readText(pidFile));
  if (!(pid > 0) || !isOurRedis(pid)) return;
  process.kill(pid, 'SIGTERM');
  for (let waitedMs = 0; isOurRedis(pid); waitedMs += PROBE_PAUSE_MS) {
    if (waitedMs > END_TIMEOUT_MS) process.kill(pid, 'SIGKILL');
    await pause(PROBE_PAUSE_MS);
  }
}

function isOurRedis(pid: number): boolean {
  const title = titleOf(pid);
  return /(redis|valkey)/.test(title) && title.includes(configFile);
}

/** The server keeps its configuration file in its process title; '' when there is no such process. */
function titleOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
