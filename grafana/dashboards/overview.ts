import type { Dashboard } from '../dashboard.ts';
import { above, below } from '../panel.ts';
import { on, onModel, onTenant, perSecond, quantiles, query } from '../query.ts';
import { thresholds } from '../thresholds.ts';

const { availability, burnRates, firstTokenSeconds, overheadSeconds } = thresholds;
const [fastest, fast, slow] = burnRates;
const requests = 'sluice_requests_total';
const burns = ['SluiceAvailabilityBurnsFast', 'SluiceAvailabilityBurnsSlowly'];

/** How many times faster than allowed the budget of errors burns. @param window of a recording rule */
function burn(window: string): string {
  return `max(cluster:sluice_requests_failed:ratio_rate${window}{${on}}) / ${round(1 - availability)}`;
}

/** Without the last digits of binary fractions. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}

export const overview: Dashboard = {
  uid: 'sluice-overview',
  title: 'Overview',
  question: 'Is it well, how much is there to do, and who asks?',
  rows: [
    {
      title: 'Is it well?',
      panels: [
        {
          id: 1,
          kind: 'stat',
          title: 'Available',
          question:
            'Which part of the requests of the last five minutes did not fail because of a GPU server or the gateway?',
          unit: 'percentunit',
          queries: [query('available', `1 - max(cluster:sluice_requests_failed:ratio_rate5m{${on}})`)],
          limits: below(availability),
          alerts: burns,
          width: 4,
        },
        {
          id: 3,
          kind: 'stat',
          title: 'First token, p95',
          question: 'How long do callers of a stream look at nothing?',
          unit: 's',
          queries: quantiles([0.95], 'sluice_time_to_first_token_seconds', onModel),
          limits: above(firstTokenSeconds),
          alerts: ['SluiceFirstTokenBurnsFast', 'SluiceFirstTokenBurnsSlowly'],
          width: 4,
        },
        {
          id: 4,
          kind: 'stat',
          title: 'Added by the gateway, p99',
          question: 'Is it the gateway that is slow?',
          unit: 's',
          queries: quantiles([0.99], 'sluice_gateway_overhead_seconds', on),
          limits: above(overheadSeconds),
          alerts: ['SluiceOverheadBurnsFast', 'SluiceOverheadBurnsSlowly'],
          width: 4,
        },
        {
          id: 7,
          kind: 'stat',
          title: 'Processes that are up',
          question: 'Does every gateway and every worker answer Prometheus?',
          unit: 'percentunit',
          queries: [query('{{job}}', `avg by (job) (up{${on}, job=~"sluice-.*"})`)],
          limits: below(1),
          alerts: ['SluiceTargetDown', 'SluiceGatewaysDown', 'SluiceWorkersDown'],
          width: 6,
        },
        {
          id: 8,
          kind: 'stat',
          title: 'Redis answers',
          question: 'Do limits, keys and usage come from Redis, or does each replica go on by itself?',
          unit: 'percentunit',
          queries: [query('processes', `avg(sluice_redis_up{${on}})`)],
          limits: below(1),
          alerts: ['SluiceRedisDegraded'],
          width: 3,
        },
        {
          id: 9,
          kind: 'stat',
          title: 'Alerts',
          question: 'How many alerts fire? They stand as red lines in every graph.',
          unit: 'short',
          queries: [
            query(
              'fire',
              `count(ALERTS{alertname=~"Sluice.*", alertstate="firing", cluster=~"$cluster|"}) or vector(0)`,
            ),
          ],
          limits: above(1),
          width: 3,
        },
      ],
    },
    {
      title: 'How much?',
      panels: [
        {
          id: 2,
          kind: 'stat',
          title: 'Requests',
          question: 'How many requests come in each second?',
          unit: 'reqps',
          queries: [query('requests', perSecond(requests, onModel))],
          width: 6,
        },
        {
          id: 5,
          kind: 'stat',
          title: 'Streams open',
          question: 'How many callers read a stream at this moment?',
          unit: 'short',
          queries: [query('streams', `sum(sluice_streams_open{${on}})`)],
          width: 6,
        },
        {
          id: 6,
          kind: 'stat',
          title: 'Jobs waiting',
          question: 'How many jobs wait for their turn?',
          unit: 'short',
          queries: [query('jobs', `sum(max by (cluster, line) (sluice_jobs_waiting{${on}}))`)],
          width: 6,
        },
        {
          id: 15,
          kind: 'stat',
          title: 'Cost in an hour',
          question: 'What is the traffic worth at the pace of now, by the prices of the configuration?',
          unit: 'currencyUSD',
          queries: [query('cost', `3600 * ${perSecond('sluice_cost_usd_total', onModel)}`)],
          width: 6,
        },
        {
          id: 10,
          kind: 'stack',
          title: 'Requests by model',
          question: 'What is asked for?',
          unit: 'reqps',
          queries: [query('{{model}}', perSecond(requests, onModel, 'model'))],
          width: 8,
        },
        {
          id: 14,
          kind: 'stack',
          title: 'Tokens by kind',
          question: 'How much is read, and how much is written?',
          unit: 'tokps',
          queries: [
            query('{{kind}}', perSecond('sluice_tokens_total', `${onModel}, kind!="cached"`, 'kind')),
          ],
          width: 8,
        },
        {
          id: 16,
          kind: 'stack',
          title: 'Requests by tenant',
          question: 'Who asks? The ten who ask most.',
          unit: 'reqps',
          queries: [
            query('{{tenant}}', `topk(10, ${perSecond('sluice_tenant_requests_total', onTenant, 'tenant')})`),
          ],
          width: 8,
        },
      ],
    },
    {
      title: 'What goes wrong?',
      panels: [
        {
          id: 13,
          kind: 'graph',
          title: 'Pace at which the budget of errors burns',
          question: `How many times faster than allowed (${round(100 * (1 - availability))} % of 30 days) do requests fail? Pages at ${fastest.rate} over an hour and ${fast.rate} over six, a ticket at ${slow.rate} over three days.`,
          unit: 'short',
          queries: [fastest, fast, slow].map(({ long }) => query(long, burn(long))),
          limits: above(slow.rate, fast.rate),
          alerts: burns,
          width: 12,
        },
        {
          id: 12,
          kind: 'stack',
          title: 'Failures by blame',
          question: 'Who is to blame where requests do not end well?',
          unit: 'reqps',
          queries: [query('{{blame}}', perSecond(requests, `${onModel}, blame!="none"`, 'blame'))],
          width: 12,
        },
        {
          id: 11,
          kind: 'stack',
          title: 'Answers by status',
          question: 'What do callers get?',
          unit: 'reqps',
          queries: [query('{{status}}', perSecond(requests, onModel, 'status'))],
          width: 8,
        },
        {
          id: 18,
          kind: 'stack',
          title: 'Errors',
          question: 'Which errors do callers get? OPERATIONS.md has each with cause and remedy.',
          unit: 'reqps',
          queries: [query('{{error}}', perSecond('sluice_errors_total', on, 'error'))],
          width: 8,
        },
        {
          id: 17,
          kind: 'graph',
          title: 'Servers that are usable',
          question: 'Which part of its servers has each model?',
          unit: 'percentunit',
          queries: [
            query(
              '{{model}}',
              `sum by (model) (max by (cluster, model, version) (sluice_pool_servers_usable{${onModel}})) / sum by (model) (max by (cluster, model, version) (sluice_pool_servers{${onModel}}))`,
            ),
          ],
          limits: below(1),
          alerts: ['SluiceModelDown', 'SluiceUpstreamEjected'],
          width: 8,
        },
      ],
    },
  ],
};
