import type { Dashboard } from '../dashboard.ts';
import { above } from '../panel.ts';
import { on, onModel, onTenant, perSecond, quantiles, query, share } from '../query.ts';
import { thresholds } from '../thresholds.ts';

const decisions = 'sluice_admissions_total';
const estimates = 'sluice_estimate_ratio';

export const limits: Dashboard = {
  uid: 'sluice-limits',
  title: 'Limits and tenants',
  question: 'Who is turned away and why, who is close to it, and who uses and pays for what?',
  rows: [
    {
      title: 'Decisions',
      panels: [
        {
          id: 1,
          kind: 'stack',
          title: 'Decisions by outcome',
          question:
            'How are requests decided? `_locally`: without Redis; `stale`: asked again, because the key has changed.',
          unit: 'reqps',
          queries: [query('{{outcome}}', perSecond(decisions, on, 'outcome'))],
          width: 8,
        },
        {
          id: 2,
          kind: 'stack',
          title: 'Refusals by limit',
          question: 'Which limit turns callers away?',
          unit: 'reqps',
          queries: [query('{{limit}}', perSecond(decisions, `${on}, outcome=~"refused.*"`, 'limit'))],
          width: 8,
        },
        {
          id: 3,
          kind: 'graph',
          title: 'Part that is refused',
          question: 'Does the limiter turn away far more than usual?',
          unit: 'percentunit',
          queries: [query('refused', share(decisions, `${on}, outcome!="stale"`, 'outcome=~"refused.*"'))],
          limits: above(thresholds.refusedShare),
          alerts: ['SluiceRefusalsHigh'],
          width: 8,
        },
        {
          id: 5,
          kind: 'graph',
          title: 'Closest to a limit',
          question:
            'Who is close to a limit? The most that was used of it in the last minutes; 100 % is all, above it is debt.',
          unit: 'percentunit',
          queries: [
            query(
              '{{tenant}} {{limit}}',
              `topk(10, max by (tenant, limit) (sluice_tenant_limit_used_ratio{${onTenant}}))`,
            ),
          ],
          width: 8,
        },
        {
          id: 6,
          kind: 'graph',
          title: 'Debt',
          question:
            'Who was estimated far too low? Tokens that a bucket has owed; repaid before anybody is admitted.',
          unit: 'short',
          queries: [query('{{tenant}}', `topk(10, max by (tenant) (sluice_tenant_token_debt{${onTenant}}))`)],
          width: 8,
        },
        {
          id: 4,
          kind: 'graph',
          title: 'Decided without Redis',
          question: 'Which part is decided by this replica’s share alone?',
          unit: 'percentunit',
          queries: [query('locally', share(decisions, `${on}, outcome!="stale"`, 'outcome=~".*_locally"'))],
          alerts: ['SluiceRedisDegraded'],
          width: 8,
        },
      ],
    },
    {
      title: 'Tenants',
      panels: [
        {
          id: 13,
          kind: 'graph',
          title: 'Requests',
          question: 'Who sends them?',
          unit: 'reqps',
          queries: [
            query('{{tenant}}', `topk(10, ${perSecond('sluice_tenant_requests_total', onTenant, 'tenant')})`),
          ],
          width: 6,
        },
        {
          id: 19,
          kind: 'graph',
          title: 'Refusals',
          question: 'Who is turned away, and by which limit?',
          unit: 'reqps',
          queries: [
            query(
              '{{tenant}} {{limit}}',
              `topk(10, ${perSecond('sluice_tenant_limited_total', onTenant, 'tenant, limit')})`,
            ),
          ],
          width: 6,
        },
        {
          id: 14,
          kind: 'graph',
          title: 'Tokens',
          question: 'Who uses them? Input and output.',
          unit: 'tokps',
          queries: [
            query(
              '{{tenant}}',
              `topk(10, ${perSecond('sluice_tenant_tokens_total', `${onTenant}, kind!="cached"`, 'tenant')})`,
            ),
          ],
          width: 6,
        },
        {
          id: 15,
          kind: 'graph',
          title: 'Cost in an hour',
          question: 'Who pays, at the pace of now, by the prices of the configuration?',
          unit: 'currencyUSD',
          queries: [
            query(
              '{{tenant}}',
              `topk(10, 3600 * ${perSecond('sluice_tenant_cost_usd_total', onTenant, 'tenant')})`,
            ),
          ],
          width: 6,
        },
      ],
    },
    {
      title: 'Reservations and their settlement',
      panels: [
        {
          id: 7,
          kind: 'graph',
          title: 'Prompts: real ÷ estimated',
          question: 'Are reservations right? 1 is right; above it, callers were let in too easily.',
          unit: 'short',
          queries: quantiles([0.1, 0.5, 0.9], estimates, `${onModel}, kind="input"`),
          width: 8,
        },
        {
          id: 8,
          kind: 'graph',
          title: 'Answers: real ÷ estimated',
          question: 'Are answers as long as expected? The same of the tokens that are produced.',
          unit: 'short',
          queries: quantiles([0.1, 0.5, 0.9], estimates, `${onModel}, kind="output"`),
          width: 8,
        },
        {
          id: 20,
          kind: 'graph',
          title: 'Reserved ÷ used',
          question: 'Are reservations too high or too low as a whole?',
          unit: 'short',
          queries: [
            query(
              '{{model}}',
              `${perSecond('sluice_reserved_tokens_total', `${onModel}, kind!="cached"`, 'model')} / ${perSecond('sluice_tokens_total', `${onModel}, kind!="cached"`, 'model')}`,
            ),
          ],
          width: 8,
        },
        {
          id: 10,
          kind: 'stack',
          title: 'Settlements by what they found',
          question: 'Does every ticket find its way back? Anything but `open` has a story.',
          unit: 'reqps',
          queries: [query('{{found}}', perSecond('sluice_settlements_total', on, 'found'))],
          width: 6,
        },
        {
          id: 11,
          kind: 'graph',
          title: 'Settlements that wait',
          question: 'How much usage has Redis not confirmed yet?',
          unit: 'short',
          queries: [query('{{instance}}', `sum by (instance) (sluice_settlements_waiting{${on}})`)],
          limits: above(thresholds.settlementsWaiting),
          alerts: ['SluiceSettlementsWaiting'],
          width: 6,
        },
        {
          id: 18,
          kind: 'graph',
          title: 'Settlements given up',
          question: 'Is usage being lost? Within an hour.',
          unit: 'short',
          queries: [query('lost', `sum(increase(sluice_settlements_dropped_total{${on}}[1h]))`)],
          limits: above(1),
          alerts: ['SluiceSettlementsDropped'],
          width: 6,
        },
        {
          id: 12,
          kind: 'graph',
          title: 'Tickets lost, slots retaken',
          question:
            'Do replicas die with calls in their hands, or freeze for longer than a lease? Within an hour.',
          unit: 'short',
          queries: [
            query('tickets lost', `sum(increase(sluice_tickets_lost_total{${on}}[1h]))`),
            query('slots retaken', `sum(increase(sluice_slots_retaken_total{${on}}[1h]))`),
          ],
          width: 6,
        },
      ],
    },
    {
      title: 'Keys and repeated requests',
      panels: [
        {
          id: 9,
          kind: 'stack',
          title: 'Where keys come from',
          question: 'Do keys come from memory, as they should?',
          unit: 'reqps',
          queries: [query('{{outcome}}', perSecond('sluice_key_lookups_total', on, 'outcome'))],
          width: 6,
        },
        {
          id: 16,
          kind: 'stack',
          title: 'Requests with an Idempotency-Key',
          question: 'Do callers who repeat a request get its answer?',
          unit: 'reqps',
          queries: [query('{{result}}', perSecond('sluice_idempotency_total', on, 'result'))],
          width: 6,
        },
        {
          id: 17,
          kind: 'stack',
          title: 'Response cache',
          question: 'Is it worth its memory?',
          unit: 'reqps',
          queries: [query('{{result}}', perSecond('sluice_response_cache_total', on, 'result'))],
          width: 6,
        },
        {
          id: 21,
          kind: 'stack',
          title: 'Answers for which no server was asked',
          question: 'What do equal requests save, and where do the answers come from?',
          unit: 'reqps',
          queries: [query('{{from}}', perSecond('sluice_answers_unasked_total', onModel, 'from'))],
          width: 6,
        },
      ],
    },
  ],
};
