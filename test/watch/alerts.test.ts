/** Rules that Prometheus takes; alerts that fire when they should, stay silent when they should, and lead somewhere. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { thresholds } from '../../grafana/thresholds.ts';
import { missingPrograms, programPath } from '../support/programs.ts';
import { prometheusFolder, readRules } from './support/rules.ts';

const LIMIT_MS = 60_000;
const run = promisify(execFile);
const rules = readRules();
const alerts = rules.filter(({ isAlert }) => isAlert);
const skip = missingPrograms('promtool');

interface UnitTests {
  readonly tests: readonly {
    readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
  }[];
}

test('promtool takes configuration and rules', { skip }, async () => {
  await promtool('check', 'config', 'prometheus.yml');
});

for (const file of globSync('tests/*.yaml', { cwd: prometheusFolder }).toSorted()) {
  test(`what ${file} says of the alerts is so`, { skip }, async () => {
    await promtool('test', 'rules', file);
  });
}

test('each alert has a case in which it fires, and one in which it stays silent', () => {
  const cases = globSync('tests/*.yaml', { cwd: prometheusFolder })
    .map((file) => parse(readFileSync(join(prometheusFolder, file), 'utf8')) as UnitTests)
    .flatMap(({ tests }) => tests.flatMap((one) => one.promql_expr_test))
    .map(({ expr, exp_samples }) => ({
      alert: /alertname="(\w+)", alertstate="firing"/.exec(expr)?.[1],
      fires: exp_samples.length > 0,
    }));
  const named = (fires: boolean) =>
    new Set(cases.filter((one) => one.fires === fires).map(({ alert }) => alert));
  const names = new Set(alerts.map(({ name }) => name));
  assert.deepEqual(named(true), names);
  assert.deepEqual(named(false), names);
});

test('each alert says how urgent it is, what is wrong, and where to go on', () => {
  for (const { name, labels, annotations } of alerts) {
    assert.match(labels.severity ?? '', /^(page|ticket)$/, name);
    const { summary, description, dashboard, panel, runbook_url, ...more } = annotations;
    assert.ok(summary && description && dashboard && panel, name);
    assert.equal(runbook_url, `deploy/prometheus/RUNBOOK.md#${name.toLowerCase()}`);
    assert.deepEqual(more, {}, name);
  }
});

test('alerts and recorded series have names of their own', () => {
  const names = rules.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

test('alerts compare with the numbers that colour the panels, and with no others', () => {
  const numbers = expectedNumbers();
  for (const { name, expr } of alerts) {
    const found = [...expr.matchAll(/[<>]=? (?!0\b(?!\.))[\d.]+(?: \* [\d.]+)?/g)].map(([text]) => text);
    assert.deepEqual(found, numbers[name] ?? [], name);
  }
});

test('objectives look at the buckets that the panels look at', () => {
  const { firstTokenSeconds, overheadSeconds } = thresholds;
  for (const { name, expr } of rules) {
    const bound = { streams_late: firstTokenSeconds, overhead_late: overheadSeconds };
    for (const [what, seconds] of Object.entries(bound)) {
      if (!expr.includes('_bucket') || !name.includes(what)) continue;
      assert.deepEqual(expr.match(/le="[^"]*"/g), [`le="${seconds}"`], name);
    }
  }
});

/** Of each alert the numbers in its expression, in their order; none for those that ask whether something is at all. */
function expectedNumbers(): Readonly<Record<string, readonly string[]>> {
  const { burnRates, exceptionsMin } = thresholds;
  const burns = (share: number, severity: string) =>
    burnRates
      .filter((one) => one.severity === severity)
      .flatMap(({ rate }) => {
        const bound = `> ${rate} * ${Number((1 - share).toFixed(6))}`;
        return [bound, bound, `>= ${exceptionsMin}`];
      });
  return {
    SluiceAvailabilityBurnsFast: burns(thresholds.availability, 'page'),
    SluiceAvailabilityBurnsSlowly: burns(thresholds.availability, 'ticket'),
    SluiceFirstTokenBurnsFast: burns(thresholds.firstTokenShare, 'page'),
    SluiceFirstTokenBurnsSlowly: burns(thresholds.firstTokenShare, 'ticket'),
    SluiceOverheadBurnsFast: burns(thresholds.overheadShare, 'page'),
    SluiceOverheadBurnsSlowly: burns(thresholds.overheadShare, 'ticket'),
    SluiceModelFails: [`> ${thresholds.modelFailuresShare}`, `>= ${exceptionsMin}`],
    SluiceRefusalsHigh: [
      `> ${thresholds.refusedShare}`,
      `> ${thresholds.refusedTimesUsual}`,
      `> ${thresholds.refusedPerSecondMin}`,
    ],
    SluiceRedisSlow: [`> ${thresholds.redisSeconds}`],
    SluiceSettlementsWaiting: [`> ${thresholds.settlementsWaiting}`],
    // As many gateways as not.
    SluiceUpstreamEjected: ['>= 0.5'],
    SluiceUpstreamFlaps: [`> ${thresholds.ejectionsPerHour}`],
    SluicePoolFull: [`> ${thresholds.poolUsed}`],
    SluiceQueueOld: [`> ${thresholds.queueAgeSeconds}`],
    SluiceQueueVeryOld: [`> ${thresholds.queueAgePageSeconds}`],
    SluiceJobsFailing: [`> ${thresholds.jobsFailedShare}`, `>= ${exceptionsMin}`],
    SluiceJobLocksLost: [`> ${thresholds.jobLocksLost}`],
    SluiceWebhooksOverdue: [`> ${thresholds.webhookOverdueSeconds}`],
    SluiceRestarting: [`>= ${thresholds.restarts}`],
    SluiceEventLoopSlow: [`> ${thresholds.eventLoopSeconds}`],
    SluiceCertificateEndsSoon: [`< ${thresholds.certificateDays} * 86400`],
    SluiceCertificateEnds: [`< ${thresholds.certificatePageDays} * 86400`],
  };
}

test('the windows of an objective are those that it was promised for', () => {
  for (const what of ['requests_failed', 'streams_late', 'overhead_late']) {
    for (const { rate, long, short } of thresholds.burnRates) {
      const pair = new RegExp(
        `${what}:ratio_rate${long} > ${rate} \\* [\\d.]+\\s+and cluster:sluice_${what}:ratio_rate${short} > ${rate} `,
      );
      assert.ok(
        alerts.some(({ expr }) => pair.test(expr)),
        String(pair),
      );
    }
  }
});

async function promtool(...args: readonly string[]): Promise<void> {
  await run(programPath('promtool') ?? 'promtool', args, { cwd: prometheusFolder, timeout: LIMIT_MS }).catch(
    (error: { stdout: string; stderr: string }) => assert.fail(`${error.stdout}${error.stderr}`),
  );
}
