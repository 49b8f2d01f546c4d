import type { Dashboard } from '../dashboard.ts';
import { above, below } from '../panel.ts';
import { on, onModel, perSecond, quantiles, query, share } from '../query.ts';
import { thresholds } from '../thresholds.ts';

const attempts = 'sluice_upstream_attempts_total';
const probes = 'sluice_upstream_probe_seconds';
/** Each of them is told by every process, of the same pool. */
const usable = `sum by (model) (max by (cluster, model, version) (sluice_pool_servers_usable{${onModel}}))`;
const servers = `sum by (model) (max by (cluster, model, version) (sluice_pool_servers{${onModel}}))`;
const reported = `max by (cluster, upstream, state) (sluice_upstream_reported_requests{${on}})`;
const ejections = `increase(sluice_upstream_ejections_total{${on}}[1h])`;

export const upstreams: Dashboard = {
  uid: 'sluice-upstreams',
  title: 'Upstreams',
  question: 'Which GPU servers may have calls, how full are they, and which fail?',
  rows: [
    {
      title: 'Health',
      panels: [
        {
          id: 1,
          kind: 'stack',
          title: 'Servers by state',
          question:
            'Which servers may have calls? The part of the processes that has it so: `trial`, `ejected` and `down` are their judgement, `draining` an operator’s will.',
          unit: 'percentunit',
          queries: [
            query('{{upstream}} {{state}}', `avg by (upstream, state) (sluice_upstream_state{${on}}) > 0`),
          ],
          alerts: ['SluiceUpstreamEjected'],
          width: 12,
        },
        {
          id: 7,
          kind: 'graph',
          title: 'Ejections by reason',
          question:
            'Which server is taken out of its pools again and again, and why? Within an hour, by the replica that did it most often.',
          unit: 'short',
          queries: [
            query('{{upstream}}', `max by (upstream) (sum by (instance, upstream) (${ejections}))`),
            query('{{upstream}} {{reason}}', `max by (upstream, reason) (${ejections})`),
          ],
          limits: above(thresholds.ejectionsPerHour),
          alerts: ['SluiceUpstreamFlaps', 'SluiceUpstreamEjected'],
          width: 12,
        },
        {
          id: 6,
          kind: 'graph',
          title: 'Servers: there, usable, wanted',
          question: 'Has a model as many servers as it needs? Wanted: what its calls would keep busy.',
          unit: 'short',
          queries: [
            query('{{model}} there', servers),
            query('{{model}} usable', usable),
            query('{{model}} wanted', `sum by (model) (sluice_model_servers_wanted{${onModel}})`),
          ],
          limits: below(1),
          alerts: ['SluiceModelDown'],
          width: 12,
        },
        {
          id: 11,
          kind: 'graph',
          title: 'Failures, by model',
          question: 'Which models fail, because of a server or the gateway? Of the requests for the model.',
          unit: 'percentunit',
          queries: [
            query('{{model}}', share('sluice_requests_total', onModel, 'blame=~"upstream|us"', 'model')),
          ],
          limits: above(thresholds.modelFailuresShare),
          alerts: ['SluiceModelFails'],
          width: 12,
        },
      ],
    },
    {
      title: 'Load',
      panels: [
        {
          id: 4,
          kind: 'graph',
          title: 'Use of the pools',
          question:
            'Which model has no spare capacity? Calls with its usable servers, of those that these take.',
          unit: 'percentunit',
          queries: [
            query(
              '{{model}} {{version}}',
              `max by (model, version) (cluster_model:sluice_pool_used:ratio{${onModel}})`,
            ),
          ],
          limits: above(thresholds.poolUsed),
          alerts: ['SluicePoolFull'],
          width: 8,
        },
        {
          id: 5,
          kind: 'stack',
          title: 'Calls that wait for a server',
          question: 'Which model lacks servers?',
          unit: 'short',
          queries: [query('{{model}}', `sum by (model) (sluice_pool_calls_waiting{${onModel}})`)],
          alerts: ['SluicePoolFull'],
          width: 8,
        },
        {
          id: 2,
          kind: 'stack',
          title: 'Calls in flight',
          question: 'Which server is busy with calls of this cluster?',
          unit: 'short',
          queries: [query('{{upstream}}', `sum by (upstream) (sluice_upstream_in_flight{${on}})`)],
          width: 8,
        },
        {
          id: 3,
          kind: 'graph',
          title: 'What servers say of their load',
          question:
            'What do they run and hold back, for anyone? More than is in flight: somebody goes round the gateways.',
          unit: 'short',
          queries: [query('{{upstream}} {{state}}', `sum by (upstream, state) (${reported})`)],
          width: 8,
        },
        {
          id: 14,
          kind: 'graph',
          title: 'Use of the servers',
          question:
            'Which server is fully busy? Calls that it runs and holds back, of its `capacity` in the configuration.',
          unit: 'percentunit',
          queries: [
            query(
              '{{upstream}}',
              `sum by (upstream) (${reported}) / sum by (upstream) (max by (cluster, upstream) (sluice_upstream_capacity{${on}}))`,
            ),
          ],
          width: 8,
        },
        {
          id: 13,
          kind: 'graph',
          title: 'Tokens produced',
          question: 'What do the servers produce for each model?',
          unit: 'tokps',
          queries: [
            query('{{model}}', perSecond('sluice_tokens_total', `${onModel}, kind="output"`, 'model')),
          ],
          width: 8,
        },
        {
          id: 15,
          kind: 'graph',
          title: 'GPUs kept busy',
          question: 'Which model keeps the GPUs busy? GPU-seconds that are charged, each second.',
          unit: 'short',
          queries: [query('{{model}}', perSecond('sluice_gpu_seconds_total', onModel, 'model'))],
          width: 8,
        },
        {
          id: 12,
          kind: 'graph',
          title: 'Age of what servers say',
          question: 'Do gateways still hear of the load? Without a line: the server has no such metrics.',
          unit: 's',
          queries: [query('{{upstream}}', `max by (upstream) (sluice_upstream_report_age_seconds{${on}})`)],
          width: 8,
        },
      ],
    },
    {
      title: 'Attempts and probes',
      panels: [
        {
          id: 16,
          kind: 'graph',
          title: 'Attempts that fail',
          question: 'Which server fails calls, and how? Callers see only what no other server could answer.',
          unit: 'reqps',
          queries: [
            query(
              '{{upstream}} {{result}}',
              perSecond(attempts, `${on}, result!~"answered|given_up"`, 'upstream, result'),
            ),
          ],
          width: 6,
        },
        {
          id: 8,
          kind: 'graph',
          title: 'Calls sent again',
          question:
            'How often is a call sent again, and how often not, because the budget of retries is spent?',
          unit: 'reqps',
          queries: [
            query('{{upstream}}', perSecond('sluice_upstream_replays_total', on, 'upstream')),
            query('denied {{model}}', perSecond('sluice_retries_denied_total', onModel, 'model')),
          ],
          width: 6,
        },
        {
          id: 9,
          kind: 'graph',
          title: 'Probes, p95',
          question: 'Do servers answer late even when they are asked for nothing?',
          unit: 's',
          queries: quantiles([0.95], probes, on, 'upstream'),
          width: 6,
        },
        {
          id: 10,
          kind: 'graph',
          title: 'Probes that fail',
          question: 'Which servers do not answer their probes? Of all probes.',
          unit: 'percentunit',
          queries: [query('{{upstream}}', share(`${probes}_count`, on, 'result!="ok"', 'upstream'))],
          width: 6,
        },
      ],
    },
  ],
};
