import type { Dashboard } from '../dashboard.ts';
import { above, below } from '../panel.ts';
import { on, onModel, perSecond, quantiles, query, shareWithin } from '../query.ts';
import { thresholds } from '../thresholds.ts';

const { firstTokenSeconds, firstTokenShare, overheadSeconds, overheadShare, eventLoopSeconds } = thresholds;
const spread = [0.5, 0.95, 0.99];

export const latency: Dashboard = {
  uid: 'sluice-latency',
  title: 'Latency and streams',
  question: 'How long do callers wait, for what, and how do their streams end?',
  rows: [
    {
      title: 'All models that are chosen',
      panels: [
        {
          id: 1,
          kind: 'graph',
          title: 'Whole answer',
          question: 'How long do callers wait for the whole answer? From the first byte of the request.',
          unit: 's',
          queries: quantiles(spread, 'sluice_request_duration_seconds', onModel),
          width: 12,
        },
        {
          id: 2,
          kind: 'graph',
          title: 'First token',
          question: 'How long do callers of a stream look at nothing?',
          unit: 's',
          queries: quantiles(spread, 'sluice_time_to_first_token_seconds', onModel),
          limits: above(firstTokenSeconds),

          width: 12,
        },
        {
          id: 3,
          kind: 'graph',
          title: 'From token to token',
          question: 'How fast do streams flow, once they have begun? Seconds from one token to the next.',
          unit: 's',
          queries: quantiles(spread, 'sluice_time_per_output_token_seconds', onModel),
          width: 12,
        },
        {
          id: 4,
          kind: 'graph',
          title: 'Added by the gateway',
          question:
            'Is it the gateway that is slow? Time of requests in which nobody waited for a GPU server.',
          unit: 's',
          queries: quantiles(spread, 'sluice_gateway_overhead_seconds', on),
          limits: above(overheadSeconds),
          alerts: ['SluiceOverheadBurnsFast', 'SluiceOverheadBurnsSlowly'],
          width: 12,
        },
        {
          id: 5,
          kind: 'graph',
          title: 'In time',
          question: `Which part keeps its objective? First tokens within ${firstTokenSeconds} s (objective ${firstTokenShare}), and requests to which the gateway adds at most ${overheadSeconds} s (${overheadShare}).`,
          unit: 'percentunit',
          queries: [
            query(
              'first token',
              shareWithin('sluice_time_to_first_token_seconds', onModel, firstTokenSeconds),
            ),
            query('gateway', shareWithin('sluice_gateway_overhead_seconds', on, overheadSeconds)),
          ],
          limits: below(firstTokenShare),
          alerts: ['SluiceFirstTokenBurnsFast', 'SluiceFirstTokenBurnsSlowly'],
          width: 12,
        },
        {
          id: 8,
          kind: 'heatmap',
          title: 'First token, spread',
          question: 'Are all callers a little late, or a few very late?',
          unit: 'short',
          queries: [
            query(
              '{{le}}',
              `sum by (le) (increase(sluice_time_to_first_token_seconds_bucket{${onModel}}[$__rate_interval]))`,
            ),
          ],
          width: 12,
        },
      ],
    },
    {
      title: 'Model by model',
      panels: [
        {
          id: 6,
          kind: 'graph',
          title: 'Whole answer, p95',
          question: 'Whose callers wait longest for the whole answer?',
          unit: 's',
          queries: quantiles([0.95], 'sluice_request_duration_seconds', onModel, 'model'),
          width: 12,
        },
        {
          id: 7,
          kind: 'graph',
          title: 'First token, p95',
          question: 'Whose callers wait longest for a first token?',
          unit: 's',
          queries: quantiles([0.95], 'sluice_time_to_first_token_seconds', onModel, 'model'),
          limits: above(firstTokenSeconds),
          width: 12,
        },
      ],
    },
    {
      title: 'Streams and waiting',
      panels: [
        {
          id: 9,
          kind: 'stack',
          title: 'Streams open',
          question: 'How many streams are open, and on which replica?',
          unit: 'short',
          queries: [query('{{instance}}', `sum by (instance) (sluice_streams_open{${on}})`)],
          width: 6,
        },
        {
          id: 10,
          kind: 'graph',
          title: 'Ends that are not the rule',
          question:
            'How do requests end that do not come to their end? `client_gone`: the caller left; `broken`: the answer had begun and could not be finished; `refused`: an error of the gateway’s own.',
          unit: 'reqps',
          queries: [
            query(
              '{{outcome}}',
              perSecond('sluice_requests_total', `${onModel}, outcome!="completed"`, 'outcome'),
            ),
          ],
          width: 6,
        },
        {
          id: 11,
          kind: 'stack',
          title: 'Calls that wait for a server',
          question: 'Do callers wait because all servers of their model are at their bound?',
          unit: 'short',
          queries: [query('{{model}}', `sum by (model) (sluice_pool_calls_waiting{${onModel}})`)],
          alerts: ['SluicePoolFull'],
          width: 6,
        },
        {
          id: 12,
          kind: 'graph',
          title: 'Delay of the event loop, p99',
          question: 'Do replicas stall, so that all their streams pause together?',
          unit: 's',
          queries: quantiles([0.99], 'sluice_event_loop_delay_seconds', on, 'instance'),
          limits: above(eventLoopSeconds),
          alerts: ['SluiceEventLoopSlow'],
          width: 6,
        },
      ],
    },
  ],
};
