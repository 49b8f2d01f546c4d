/** A real Prometheus for one test file, with the project's own configuration and rules, in a hurry. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { freePort } from '../../support/redis.ts';
import { startDaemon } from './daemon.ts';
import { prometheusFolder } from './rules.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface TestPrometheus {
  readonly url: string;
  /** What an expression says at this moment. Rejects what cannot be parsed. */
  query(expr: string): Promise<readonly Sample[]>;
  stop(): Promise<void>;
}

export interface Targets {
  /** Admin addresses. */
  readonly gateways: readonly string[];
  readonly workers: readonly string[];
}

interface Configuration {
  global: Record<string, string>;
  alerting?: unknown;
  scrape_configs: { job_name: string }[];
}

/** @param everySeconds how often it scrapes and evaluates its rules */
export async function startPrometheus(targets: Targets, everySeconds: number): Promise<TestPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  await writeConfiguration(folder, targets, everySeconds);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const daemon = await startDaemon(
    'prometheus',
    [
      ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=error'],
    ],
    `${url}/-/ready`,
  );
  return {
    url,
    query: (expr) => ask(url, expr),
    async stop() {
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeConfiguration(folder: string, targets: Targets, everySeconds: number): Promise<void> {
  const text = await readFile(join(prometheusFolder, 'prometheus.yml'), 'utf8');
  const { alerting: _, ...rest } = parse(text) as Configuration;
  const interval = `${everySeconds}s`;
  const hurried = {
    ...rest,
    global: {
      ...rest.global,
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
    },
    scrape_configs: rest.scrape_configs.filter(({ job_name }) => job_name !== 'prometheus'),
  };
  await mkdir(join(folder, 'targets'));
  await cp(join(prometheusFolder, 'rules'), join(folder, 'rules'), { recursive: true });
  await writeFile(join(folder, 'prometheus.yml'), stringify(hurried));
  for (const [name, addresses] of Object.entries(targets)) {
    const group = {
      targets: addresses.map((address: string) => new URL(address).host),
      labels: { cluster: 'test' },
    };
    await writeFile(join(folder, 'targets', `${name}.yaml`), stringify([group]));
  }
}

async function ask(url: string, expr: string): Promise<readonly Sample[]> {
  const answer = await fetch(`${url}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expr }),
  });
  const { data, error } = (await answer.json()) as {
    data?: { resultType: string; result: { metric: Record<string, string>; value: [number, string] }[] };
    error?: string;
  };
  if (data === undefined) throw new Error(`${error}: ${expr}`);
  return data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
}
