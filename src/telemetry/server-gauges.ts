/** The metrics of GPU servers and of the models on them, read when somebody asks for them. */
import type { FirstNames } from './first-names.ts';
import { OTHER } from './first-names.ts';
import type { MetricMaker, Put } from './maker.ts';

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
  /** Calls of this replica that it may have; undefined: unbounded. */
  readonly places: number | undefined;
  /** Calls of anyone that keep it fully busy; undefined: nobody has said. */
  readonly capacity: number | undefined;
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
  /** Calls that were not tried again because the budget was spent, since the beginning. */
  readonly retriesDenied: number;
  readonly pools: readonly PoolReading[];
}

/** One version of a model. */
export interface PoolReading {
  /** Undefined: the model has none. */
  readonly version: string | undefined;
  readonly servers: number;
  readonly serversUsable: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** At the usable ones; undefined: one of them has no bound. */
  readonly placesFree: number | undefined;
}

const serverStates = ['up', 'ejected', 'trial', 'down', 'draining'] as const;

export function serverGauges(make: MetricMaker, readings: ServerReadings, models: FirstNames): void {
  upstreamGauges(make, readings);
  reportGauges(make, readings);
  poolGauges(make, readings, models);
  modelMetrics(make, readings, models);
}

function upstreamGauges(make: MetricMaker, { upstreams }: ServerReadings): void {
  const gauge = (name: string, help: string, value: (reading: UpstreamReading) => number | undefined) =>
    make.gauges(name, help, ['upstream'], (put) => {
      for (const reading of upstreams()) {
        const found = value(reading);
        if (found !== undefined) put({ upstream: reading.name }, found);
      }
    });
  gauge('sluice_upstream_up', '1 while the GPU server answers its probes.', ({ healthy }) => Number(healthy));
  gauge(
    'sluice_upstream_in_flight',
    'Calls of this replica that the GPU server is working on.',
    ({ inFlight }) => inFlight,
  );
  gauge(
    'sluice_upstream_places',
    'Calls of this replica that the GPU server may have; absent: any number.',
    ({ places }) => places,
  );
  gauge(
    'sluice_upstream_capacity',
    'Calls of anyone that keep the GPU server fully busy, by the configuration.',
    ({ capacity }) => capacity,
  );
  make.gauges(
    'sluice_upstream_state',
    '1 for the state that the GPU server is in, 0 for the others.',
    ['upstream', 'state'],
    (put) => {
      for (const { name, state } of upstreams()) {
        for (const one of serverStates) put({ upstream: name, state: one }, Number(one === state));
      }
    },
  );
  make.counters(
    'sluice_upstream_ejections_total',
    'How often the GPU server got no more calls because it seemed ill.',
    ['upstream', 'reason'],
    (put) => {
      for (const { name, ejections } of upstreams()) {
        for (const [reason, count] of Object.entries(ejections)) put({ upstream: name, reason }, count);
      }
    },
  );
}

/** Do the servers themselves say something else than what the gateways have sent them? */
function reportGauges(make: MetricMaker, { upstreams }: ServerReadings): void {
  make.gauges(
    'sluice_upstream_reported_requests',
    'Calls, of anyone, that the GPU server says it runs or holds back; absent where it has not said so lately.',
    ['upstream', 'state'],
    (put) => {
      for (const { name, reported } of upstreams()) {
        if (!reported) continue;
        put({ upstream: name, state: 'running' }, reported.running);
        put({ upstream: name, state: 'waiting' }, reported.waiting);
      }
    },
  );
  make.gauges(
    'sluice_upstream_report_age_seconds',
    'Since the GPU server has said so, to whichever replica.',
    ['upstream'],
    (put) => {
      for (const { name, reported } of upstreams()) {
        if (reported) put({ upstream: name }, reported.ageSeconds);
      }
    },
  );
}

function poolGauges(make: MetricMaker, readings: ServerReadings, names: FirstNames): void {
  const gauge = (name: string, help: string, value: (pool: PoolReading) => number | undefined) =>
    make.gauges(name, help, ['model', 'version'], (put) => {
      forEachModel(readings, names, ({ name: model, pools }) => {
        for (const pool of pools) {
          const { version } = pool;
          const found = value(pool);
          if (found !== undefined) put(version === undefined ? { model } : { model, version }, found);
        }
      });
    });
  gauge('sluice_pool_servers', 'GPU servers of the model.', ({ servers }) => servers);
  gauge(
    'sluice_pool_servers_usable',
    'GPU servers of the model that may have calls now.',
    ({ serversUsable }) => serversUsable,
  );
  gauge(
    'sluice_pool_calls_in_flight',
    'Calls of this replica that the GPU servers of the model are working on.',
    ({ inFlight }) => inFlight,
  );
  gauge(
    'sluice_pool_calls_waiting',
    'Calls that wait because all GPU servers of the model are at their bound.',
    ({ waiting }) => waiting,
  );
  gauge(
    'sluice_pool_places_free',
    'Calls of this replica that the usable GPU servers of the model would take more.',
    ({ placesFree }) => placesFree,
  );
}

function modelMetrics(make: MetricMaker, readings: ServerReadings, names: FirstNames): void {
  const ofModels = (value: (model: ModelReading) => number | undefined) => (put: Put) =>
    forEachModel(readings, names, (reading) => {
      const found = value(reading);
      if (found !== undefined) put({ model: reading.name }, found);
    });
  make.gauges(
    'sluice_model_servers_wanted',
    "GPU servers that the calls of the model, running and waiting at this replica, would keep busy by the servers' capacity; sum over the replicas.",
    ['model'],
    ofModels(({ serversWanted }) => serversWanted),
  );
  make.counters(
    'sluice_retries_denied_total',
    'Calls that were not tried at another GPU server because too many are.',
    ['model'],
    ofModels(({ retriesDenied }) => retriesDenied),
  );
}

/** There may be more than have a label; they are not summed up, because nobody could tell what the sum is of. */
function forEachModel(
  { models }: ServerReadings,
  names: FirstNames,
  act: (reading: ModelReading) => void,
): void {
  for (const reading of models()) if (names.labelOf(reading.name) !== OTHER) act(reading);
}
