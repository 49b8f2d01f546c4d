/** All processes of one start: brought up in the order of their needs, ended in the reverse. */
import { join } from 'node:path';
import type { ChildSpec } from './child.ts';
import { type Home, shown } from './home.ts';
import type { Plan } from './plan.ts';
import { freePort } from './ports.ts';
import { type PrivateRedis, preparePrivateRedis } from './private-redis.ts';
import { Supervisor } from './supervisor.ts';

const READY_TIMEOUT_MS = 30_000;
const SIMULATOR_HOST = '127.0.0.1';
const SIMULATOR_MODEL = 'sim-small';
/** The simulator has nobody left to serve when it is told to end. */
const SIMULATOR_END_TIMEOUT_MS = 5_000;

interface Parts {
  readonly plan: Plan;
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  /** The program that runs a role. */
  readonly mainScript: string;
  readonly say: (line: string) => void;
}

export class Cluster {
  readonly #parts: Parts;
  readonly #gateways: Supervisor[] = [];
  readonly #workers: Supervisor[] = [];
  #simulator: Supervisor | undefined;
  #redis: Supervisor | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** True: everything serves. False: it was stopped on the way. Throws when a process does not come up. */
  async start(): Promise<boolean> {
    const { plan, home, env } = this.#parts;
    const redis = plan.needsRedis ? await preparePrivateRedis(home, env) : undefined;
    const simulatorPort = plan.needsSimulator ? await freePort(SIMULATOR_HOST) : undefined;
    const simulatorUrl = `http://${SIMULATOR_HOST}:${simulatorPort}`;
    const below = [
      redis && this.#startRedis(redis),
      simulatorPort && this.#startSimulator(simulatorPort, simulatorUrl),
    ];
    if (!(await allStarted(below))) return false;
    const gatewayEnv = {
      ...plan.gatewayEnv,
      ...(redis && { REDIS_URL: redis.url }),
      ...(simulatorPort && { UPSTREAM_URL: simulatorUrl }),
    };
    return await allStarted([
      ...plan.adminPorts.map((port, index) => this.#startGateway(index, port, gatewayEnv)),
      ...plan.workerPorts.map((port, index) => this.#startWorker(index, port, gatewayEnv)),
    ]);
  }

  /** Gateways and workers drain first; what they need goes after them, Redis last. Bounded in time. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      await Promise.all([...this.#gateways, ...this.#workers].map((child) => child.stop()));
      await this.#simulator?.stop();
      await this.#redis?.stop();
    })();
    return this.#stopped;
  }

  /** At once, for the exit of this process. Redis is left to its guard, which lets it write out its data. */
  kill(): void {
    for (const child of [...this.#gateways, ...this.#workers]) child.kill();
    this.#simulator?.kill();
  }

  /** One after the other, so that the port is always served. */
  async restartAll(): Promise<void> {
    for (const child of [...this.#gateways, ...this.#workers]) await child.restart();
  }

  /** Gateways and workers. */
  signalAll(signal: NodeJS.Signals): void {
    for (const child of [...this.#gateways, ...this.#workers]) child.signal(signal);
  }

  #startRedis(redis: PrivateRedis): Promise<boolean> {
    this.#redis = new Supervisor(redis.child, this.#parts.say);
    return this.#up(
      this.#redis,
      redis.child,
      `${redis.address}, data in ${shown(this.#parts.home.redisFolder)}`,
    );
  }

  #startSimulator(port: number, url: string): Promise<boolean> {
    const { env, home, mainScript, say } = this.#parts;
    const child: ChildSpec = {
      name: 'simulator',
      script: mainScript,
      args: ['simulator', '--host', SIMULATOR_HOST, '--port', String(port), '--model', SIMULATOR_MODEL],
      env,
      logFile: join(home.logFolder, 'simulator.log'),
      readyTimeoutMs: READY_TIMEOUT_MS,
      endTimeoutMs: SIMULATOR_END_TIMEOUT_MS,
      endsBy: 'SIGTERM',
    };
    this.#simulator = new Supervisor(child, say);
    const note = 'a simulation: it has no GPU; set UPSTREAM_URL to use a real server';
    return this.#up(this.#simulator, child, `${url}  (${note})`);
  }

  #startGateway(index: number, adminPort: number, gatewayEnv: Record<string, string>): Promise<boolean> {
    const { plan } = this.#parts;
    const ports = { PORT: String(plan.port), ADMIN_PORT: String(adminPort), SLUICE_REUSE_PORT: '1' };
    const child = this.#ofRole('gateway', index, { ...gatewayEnv, ...ports });
    const gateway = new Supervisor(child, this.#parts.say);
    this.#gateways.push(gateway);
    const admin = httpUrl(plan.adminHost, adminPort);
    return this.#up(gateway, child, `${publicUrlOf(plan)}  admin ${admin}`);
  }

  #startWorker(index: number, adminPort: number, gatewayEnv: Record<string, string>): Promise<boolean> {
    const { plan, say } = this.#parts;
    const child = this.#ofRole('worker', index, { ...gatewayEnv, ADMIN_PORT: String(adminPort) });
    const worker = new Supervisor(child, say);
    this.#workers.push(worker);
    return this.#up(worker, child, `jobs  admin ${httpUrl(plan.adminHost, adminPort)}`);
  }

  #ofRole(role: 'gateway' | 'worker', index: number, roleEnv: Record<string, string>): ChildSpec {
    const { env, home, mainScript, plan } = this.#parts;
    const logFile = join(home.logFolder, `${role}-${index + 1}.log`);
    return {
      name: `${role} ${index + 1}`,
      script: mainScript,
      args: [role],
      env: { ...env, ...roleEnv, ...(plan.logsToFolder && { LOG_FILE: logFile }) },
      logFile,
      readyTimeoutMs: READY_TIMEOUT_MS,
      endTimeoutMs: plan.gatewayEndMs,
      endsBy: 'SIGTERM',
    };
  }

  async #up(supervisor: Supervisor, child: ChildSpec, where: string): Promise<boolean> {
    if (this.#stopped) return false;
    const started = await supervisor.start();
    if (this.#stopped) return false;
    if (!started.ok) {
      throw new Error(
        `${child.name} does not start: ${started.problem}. The end of ${shown(child.logFile)}:\n${started.lastLines}`,
      );
    }
    this.#parts.say(`${child.name.padEnd(10)} ready  ${where}`);
    return true;
  }
}

/** The address of the public listener. */
export function publicUrlOf({ host, port, speaksTls }: Plan): string {
  const url = httpUrl(host, port);
  return speaksTls ? url.replace('http', 'https') : url;
}

/** The address under which this machine reaches a listener. */
export function httpUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

async function allStarted(starts: readonly (Promise<boolean> | undefined | 0 | '')[]): Promise<boolean> {
  const started = await Promise.all(starts.filter((start) => start instanceof Promise));
  return started.every(Boolean);
}
