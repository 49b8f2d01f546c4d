import type { Dashboard } from '../dashboard.ts';
import { above } from '../panel.ts';
import { on, onModel, onTenant, perSecond, quantiles, query, share } from '../query.ts';
import { thresholds } from '../thresholds.ts';

const { jobLocksLost, queueAgeSeconds, queueAgePageSeconds, jobsFailedShare, webhookOverdueSeconds } =
  thresholds;
const runs = 'sluice_job_attempts_total';

/** What every worker says of the same queue, of all clusters together. @param by labels that tell one from another */
function inAll(gauge: string, by = 'cluster'): string {
  return `sum(max by (${by}) (${gauge}{${on}}))`;
}

function byLine(gauge: string): string {
  return `sum by (line) (max by (cluster, line) (${gauge}{${on}}))`;
}

export const jobs: Dashboard = {
  uid: 'sluice-jobs',
  title: 'Jobs',
  question: 'Do jobs wait too long, do they fail, and do their owners hear of it?',
  rows: [
    {
      title: 'The queue, as every worker sees it',
      panels: [
        {
          id: 1,
          kind: 'stack',
          title: 'Waiting',
          question: 'Which lines have jobs that wait for their turn?',
          unit: 'short',
          queries: [query('{{line}}', byLine('sluice_jobs_waiting'))],
          width: 8,
        },
        {
          id: 2,
          kind: 'graph',
          title: 'Age of the oldest',
          question: 'How long has the job waited that waits longest?',
          unit: 's',
          queries: [query('{{line}}', `max by (line) (sluice_jobs_oldest_seconds{${on}})`)],
          limits: above(queueAgeSeconds, queueAgePageSeconds),
          alerts: ['SluiceQueueOld', 'SluiceQueueVeryOld'],
          width: 8,
        },
        {
          id: 3,
          kind: 'graph',
          title: 'In hand and running',
          question:
            'Do workers run what they have in hand? Far more in hand than running: workers have died.',
          unit: 'short',
          queries: [
            query('in hand', inAll('sluice_jobs_handed', 'cluster, line')),
            query('running', `sum(sluice_worker_jobs_running{${on}})`),
          ],
          width: 8,
        },
        {
          id: 4,
          kind: 'graph',
          title: 'Use of the workers',
          question: 'Could workers run more? Of what they may run at once.',
          unit: 'percentunit',
          queries: [
            query(
              '{{instance}}',
              `sum by (instance) (sluice_worker_jobs_running{${on}}) / sum by (instance) (sluice_worker_concurrency{${on}})`,
            ),
          ],
          width: 8,
        },
        {
          id: 11,
          kind: 'stat',
          title: 'Unfinished',
          question: 'How near is `jobs.waiting.jobs_max`? Jobs that wait or run.',
          unit: 'short',
          queries: [query('jobs', inAll('sluice_jobs_unfinished'))],
          width: 4,
        },
        {
          id: 12,
          kind: 'stat',
          title: 'Their requests',
          question: 'How near is `jobs.waiting.bytes_max`?',
          unit: 'bytes',
          queries: [query('bytes', inAll('sluice_jobs_unfinished_bytes'))],
          width: 4,
        },
        {
          id: 13,
          kind: 'stat',
          title: 'Parked tenants',
          question: 'Whose jobs wait because of their own limits, and not for servers?',
          unit: 'short',
          queries: [query('{{line}}', byLine('sluice_jobs_parked_tenants'))],
          width: 4,
        },
        {
          id: 14,
          kind: 'stat',
          title: 'Stopped by an operator',
          question: 'Has somebody stopped the queue? `sluice jobs resume` lets it go on.',
          unit: 'bool_yes_no',
          queries: [query('stopped', `max(sluice_jobs_drained{${on}})`)],
          limits: above(1),
          alerts: ['SluiceQueueDrained'],
          width: 4,
        },
      ],
    },
    {
      title: 'Runs',
      panels: [
        {
          id: 5,
          kind: 'stack',
          title: 'Runs by outcome',
          question:
            'How do runs end? `put_back` waits again without having lost a try, `tried_again` has lost one.',
          unit: 'reqps',
          queries: [query('{{outcome}}', perSecond(runs, onModel, 'outcome'))],
          width: 8,
        },
        {
          id: 6,
          kind: 'graph',
          title: 'Jobs that fail',
          question: 'Which part of the jobs that end has failed?',
          unit: 'percentunit',
          queries: [
            query(
              '{{model}}',
              share(runs, `${onModel}, outcome=~"completed|failed"`, 'outcome="failed"', 'model'),
            ),
          ],
          limits: above(jobsFailedShare),
          alerts: ['SluiceJobsFailing'],
          width: 8,
        },
        {
          id: 7,
          kind: 'graph',
          title: 'Why runs do not complete',
          question: 'What keeps jobs from their end?',
          unit: 'reqps',
          queries: [
            query(
              '{{outcome}}: {{reason}}',
              perSecond(runs, `${onModel}, outcome!="completed"`, 'outcome, reason'),
            ),
          ],
          width: 8,
        },
        {
          id: 8,
          kind: 'graph',
          title: 'Wait',
          question: 'Do jobs wait longer than their callers will bear? Until the run that ended them.',
          unit: 's',
          queries: quantiles([0.5, 0.95], 'sluice_job_wait_seconds', onModel),
          width: 8,
        },
        {
          id: 9,
          kind: 'graph',
          title: 'Run',
          question: 'How long does a run take, once it asks a GPU server?',
          unit: 's',
          queries: quantiles([0.5, 0.95], 'sluice_job_run_seconds', onModel),
          width: 8,
        },
        {
          id: 10,
          kind: 'graph',
          title: 'Runs lost',
          question:
            'Do workers freeze, or lose Redis? Another one has the job; it is charged once. Within half an hour.',
          unit: 'short',
          queries: [query('{{reason}}', `sum by (reason) (increase(${runs}{${on}, outcome="left"}[30m]))`)],
          limits: above(jobLocksLost),
          alerts: ['SluiceJobLocksLost'],
          width: 8,
        },
      ],
    },
    {
      title: 'Tenants',
      panels: [
        {
          id: 15,
          kind: 'graph',
          title: 'Runs by tenant',
          question: 'Who fills the queue? Those who came first since the start by name.',
          unit: 'reqps',
          queries: [query('{{tenant}}', perSecond('sluice_tenant_jobs_total', onTenant, 'tenant'))],
          width: 12,
        },
        {
          id: 16,
          kind: 'graph',
          title: 'Mean wait by tenant',
          question: 'Whose jobs wait longest?',
          unit: 's',
          queries: [
            query(
              '{{tenant}}',
              `${perSecond('sluice_tenant_job_wait_seconds_total', onTenant, 'tenant')} / ${perSecond('sluice_tenant_jobs_total', `${onTenant}, outcome=~"completed|failed"`, 'tenant')}`,
            ),
          ],
          width: 12,
        },
      ],
    },
    {
      title: 'Webhooks',
      panels: [
        {
          id: 17,
          kind: 'stack',
          title: 'Tries by outcome',
          question: 'Do receivers take what they asked for?',
          unit: 'reqps',
          queries: [query('{{outcome}}', perSecond('sluice_webhook_tries_total', on, 'outcome'))],
          width: 8,
        },
        {
          id: 18,
          kind: 'graph',
          title: 'One try',
          question: 'Are receivers slow?',
          unit: 's',
          queries: quantiles([0.5, 0.95], 'sluice_webhook_try_seconds', on),
          width: 8,
        },
        {
          id: 19,
          kind: 'graph',
          title: 'Age at delivery',
          question: 'How late do receivers hear of the end of a job?',
          unit: 's',
          queries: quantiles([0.5, 0.95], 'sluice_webhook_delivered_age_seconds', on),
          width: 8,
        },
        {
          id: 20,
          kind: 'stat',
          title: 'Given up',
          question: 'Are there events that nobody took, and that can be replayed?',
          unit: 'short',
          queries: [query('events', inAll('sluice_webhook_dead_events'))],
          limits: above(1),
          alerts: ['SluiceWebhooksDead'],
          width: 6,
        },
        {
          id: 21,
          kind: 'stat',
          title: 'Overdue',
          question: 'Does anybody deliver? For how long a receiver with events due has waited for a worker.',
          unit: 's',
          queries: [query('overdue', `max(sluice_webhook_overdue_seconds{${on}})`)],
          limits: above(webhookOverdueSeconds),
          alerts: ['SluiceWebhooksOverdue'],
          width: 6,
        },
      ],
    },
  ],
};
