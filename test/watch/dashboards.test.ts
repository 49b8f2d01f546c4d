/** What Grafana gets is what the definitions say, and leads from an alert to its panel and on to the runbook. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { dashboards, generate, jsonFolder } from '../../grafana/build.ts';
import { runbookPanelId } from '../../grafana/panel.ts';
import { entriesOf } from '../../grafana/runbook.ts';
import { missingPrograms, programPath } from '../support/programs.ts';
import { ofPanels, ofRules } from './support/expressions.ts';
import { prometheusFolder, readRules } from './support/rules.ts';

interface PanelOfJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
}

interface DashboardOfJson {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly PanelOfJson[];
}

const panels = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap((row) => row.panels).map((panel) => ({ place: `${uid}/${panel.id}`, ...panel })),
);
const grafanaFolder = new URL('../../grafana/', import.meta.url);
const alerts = readRules().filter(({ isAlert }) => isAlert);

test('the JSON that is kept is what `npm run dashboards` makes of the definitions', async () => {
  const wanted = generate();
  assert.deepEqual((await readdir(jsonFolder)).toSorted(), [...wanted.keys()].toSorted());
  for (const [name, text] of wanted) {
    const isSame = (await readFile(new URL(name, jsonFolder), 'utf8')) === text;
    assert.ok(isSame, `${name} is another: npm run dashboards`);
  }
});

test('addresses that alerts and bookmarks lead to stay as they are', () => {
  const uids = ['overview', 'latency', 'limits', 'upstreams', 'jobs', 'redis'].map(
    (name) => `sluice-${name}`,
  );
  assert.deepEqual(
    dashboards.map(({ uid }) => uid),
    uids,
  );
  assert.equal(runbookPanelId('SluiceQueueOld'), 601_840);
});

test('panels have a number and a place of their own', async () => {
  for (const { uid, panels } of await kept()) {
    const ids = panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, uid);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length, `${uid} has panels that cover each other`);
    for (const { gridPos, title } of panels) assert.ok(gridPos.x + gridPos.w <= 24, `${uid} ${title}`);
  }
});

test('each panel has a title, a question, a unit and the data source that is chosen', async () => {
  for (const { uid, panels } of await kept()) {
    for (const panel of panels.filter(({ type }) => type !== 'row' && type !== 'text')) {
      const place = `${uid}/${panel.id}`;
      assert.ok(panel.title.length > 0, place);
      assert.match(panel.description ?? '', /\?/, place);
      assert.ok(panel.fieldConfig?.defaults.unit, place);
      const sources = [panel.datasource, ...(panel.targets ?? []).map(({ datasource }) => datasource)];
      for (const source of sources) assert.equal(source?.uid, '$datasource', place);
    }
  }
});

test('a variable is offered where an expression uses it, and nowhere else', async () => {
  for (const { uid, templating, panels } of await kept()) {
    const used = JSON.stringify(panels).matchAll(/\$(datasource|cluster|model|tenant)\b/g);
    const wanted = new Set([...used].map(([, name]) => name));
    assert.deepEqual(new Set(templating.list.map(({ name }) => name)), wanted, uid);
  }
});

test('an alert leads to a panel, and that panel back to the alert in the runbook', async () => {
  const markdown = await readFile(join(prometheusFolder, 'RUNBOOK.md'), 'utf8');
  const entries = entriesOf(markdown).map(({ alert }) => alert);
  for (const { name, annotations } of alerts) {
    const panel = panels.find(({ place }) => place === `${annotations.dashboard}/${annotations.panel}`);
    assert.ok(panel, `${name} leads to no panel`);
    assert.ok(panel.alerts?.includes(name), `${panel.place} does not name ${name}`);
  }
  for (const { place, alerts: named = [] } of panels) {
    for (const alert of named) {
      assert.ok(entries.includes(alert), `${place} names ${alert}, which the runbook does not have`);
      assert.ok(
        alerts.some(({ name }) => name === alert),
        `${place} names ${alert}, which is no alert`,
      );
    }
  }
});

test('Grafana finds the JSON where its provisioning looks', async () => {
  const yaml = async (path: string) => parse(await readFile(new URL(path, grafanaFolder), 'utf8'));
  const { providers } = await yaml('provisioning/dashboards/sluice.yaml');
  const { datasources } = await yaml('provisioning/datasources/prometheus.yaml');
  const { services } = await yaml('../deploy/compose/compose.yaml');
  const { grafana } = services;
  assert.ok(grafana.volumes.includes(`../../grafana/json:${providers[0].options.path}:ro`));
  assert.ok(grafana.volumes.includes('../../grafana/provisioning:/etc/grafana/provisioning:ro'));
  const [, variable = ''] = /^\$\{(\w+)\}$/.exec(datasources[0].url) ?? [];
  assert.match(grafana.environment[variable], /^http:/);
});

test('every expression is one that Prometheus can read', { skip: missingPrograms('promtool') }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-expressions-'));
  t.after(() => rm(folder, { recursive: true }));
  const rules = [...ofPanels(dashboards, '5m'), ...ofRules()].map(({ place, expr }) => ({
    record: place.replaceAll(/\W/g, '_'),
    expr,
  }));
  const file = join(folder, 'rules.yaml');
  await writeFile(file, stringify({ groups: [{ name: 'expressions', rules }] }));
  const promtool = programPath('promtool') ?? 'promtool';
  const { stdout } = await promisify(execFile)(promtool, ['check', 'rules', file]);
  assert.match(stdout, new RegExp(`SUCCESS: ${rules.length} rules found`));
});

async function kept(): Promise<readonly DashboardOfJson[]> {
  const names = await readdir(jsonFolder);
  return Promise.all(
    names.map(
      async (name) => JSON.parse(await readFile(new URL(name, jsonFolder), 'utf8')) as DashboardOfJson,
    ),
  );
}
