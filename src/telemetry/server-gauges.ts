/** The metrics of GPU servers and of the models on them, read when somebody asks for them. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface ServerReadings {
  /** By name. */
  upstreams(): Iterable<UpstreamReading>;
  /** By public name. */
  models(): Iterable<ModelReading>;
}

export interface UpstreamReading {
  readonly name: string;
  readonly healthy: boolean;
  readonly inFlight: number;
  readonly state: (typeof serverStates)[number];
  /** Since the beginning, by reason. */
  readonly ejections: Readonly<Record<string, number>>;
  /** What the server has said of its load; undefined: nothing, or nothing in the last ten seconds. */
  readonly reported:
    | { readonly running: number; readonly waiting: number; readonly ageSeconds: number }
    | undefined;
}

export interface ModelReading {
  readonly name: string;
  /** This replica's part; undefined: nobody has said what a server bears. */
  readonly serversWanted: number | undefined;
}

const serverStates = ['up', 'ejected', 'trial', 'down', 'draining'] as const;

export function serverGauges(registry: Registry, readings: ServerReadings): void {
  upstreamGauges(registry, readings);
  reportGauges(registry, readings);
  modelGauges(registry, readings);
}

function upstreamGauges(registry: Registry, { upstreams }: ServerReadings): void {
  new Gauge({
    name: 'sluice_upstream_up',
    help: '1 while the GPU server answers its probes.',
    labelNames: ['upstream'],
    registers: [registry],
    collect() {
      // A reload of the configuration may have taken some away.
      this.reset();
      for (const { name, healthy } of upstreams()) this.set({ upstream: name }, Number(healthy));
    },
  });
  new Gauge({
    name: 'sluice_upstream_in_flight',
    help: 'Calls of this replica that the GPU server is working on.',
    labelNames: ['upstream'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, inFlight } of upstreams()) this.set({ upstream: name }, inFlight);
    },
  });
  new Gauge({
    name: 'sluice_upstream_state',
    help: '1 for the state that the GPU server is in, 0 for the others.',
    labelNames: ['upstream', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, state } of upstreams()) {
        for (const one of serverStates) this.set({ upstream: name, state: one }, Number(one === state));
      }
    },
  });
  new Counter({
    name: 'sluice_upstream_ejections_total',
    help: 'How often the GPU server got no more calls because it seemed ill.',
    labelNames: ['upstream', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, ejections } of upstreams()) {
        for (const [reason, count] of Object.entries(ejections)) this.inc({ upstream: name, reason }, count);
      }
    },
  });
}

/** Do the servers themselves say something else than what the gateways have sent them? */
function reportGauges(registry: Registry, { upstreams }: ServerReadings): void {
  new Gauge({
    name: 'sluice_upstream_reported_requests',
    help: 'Calls, of anyone, that the GPU server says it runs or holds back; absent where it has not said so lately.',
    labelNames: ['upstream', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, reported } of upstreams()) {
        if (!reported) continue;
        this.set({ upstream: name, state: 'running' }, reported.running);
        this.set({ upstream: name, state: 'waiting' }, reported.waiting);
      }
    },
  });
  new Gauge({
    name: 'sluice_upstream_report_age_seconds',
    help: 'Since the GPU server has said so, to whichever replica.',
    labelNames: ['upstream'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, reported } of upstreams()) {
        if (reported) this.set({ upstream: name }, reported.ageSeconds);
      }
    },
  });
}

/** How many servers should run? */
function modelGauges(registry: Registry, { models }: ServerReadings): void {
  new Gauge({
    name: 'sluice_model_servers_wanted',
    help: "GPU servers that the calls of the model, running and waiting at this replica, would keep busy by the servers' capacity; sum over the replicas.",
    labelNames: ['model'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, serversWanted } of models()) {
        if (serversWanted !== undefined) this.set({ model: name }, serversWanted);
      }
    },
  });
}
