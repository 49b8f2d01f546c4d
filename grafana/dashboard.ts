/** What a dashboard says, and Grafana's JSON of it. */
import { heightOf, type Panel, type Place, panelJson, SOURCE } from './panel.ts';

export interface Dashboard {
  /** Fixed for ever: alerts and bookmarks lead to it. */
  readonly uid: string;
  readonly title: string;
  /** The question that it answers. */
  readonly question: string;
  readonly rows: readonly Row[];
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const COLUMNS = 24;
/** Grafana 11; later ones bring it up to theirs when they load it. */
const SCHEMA_VERSION = 39;
/** Rows need numbers too; those of panels are below. */
const FIRST_ROW_ID = 500;

export function dashboardJson(dashboard: Dashboard): object {
  const panels = layOut(dashboard.rows);
  const used = JSON.stringify(panels);
  return {
    ...headJson(dashboard),
    annotations: { list: [firing] },
    templating: {
      list: [dataSource, cluster, ...filters.filter(({ name }) => used.includes(`$${name}`))],
    },
    panels,
  };
}

/** What all have, whatever they show. */
export function headJson({ uid, title, question }: Omit<Dashboard, 'rows'>): object {
  return {
    uid,
    title: `Sluice / ${title}`,
    description: question,
    tags: ['sluice'],
    schemaVersion: SCHEMA_VERSION,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    links: [{ type: 'dashboards', title: 'Sluice', tags: ['sluice'], includeVars: true, keepTime: true }],
  };
}

function layOut(rows: readonly Row[]): object[] {
  const all: object[] = [];
  let y = 0;
  for (const [index, { title, panels }] of rows.entries()) {
    all.push({
      id: FIRST_ROW_ID + index,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      const place: Place = { x, y, w: panel.width, h: heightOf(panel) };
      all.push(panelJson(panel, place));
      x += panel.width;
      lineHeight = Math.max(lineHeight, place.h);
    }
    y += lineHeight;
  }
  return all;
}

const dataSource = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  current: {},
};

const cluster = labelValues('cluster', 'Cluster', 'up{job=~"sluice-.*"}');

const filters = [
  labelValues('model', 'Model', 'sluice_requests_total{cluster=~"$cluster"}'),
  labelValues('tenant', 'Tenant', 'sluice_tenant_requests_total{cluster=~"$cluster"}'),
];

const firing = {
  name: 'Alerts that fire',
  datasource: SOURCE,
  enable: true,
  hide: false,
  iconColor: 'red',
  expr: 'ALERTS{alertstate="firing", alertname=~"Sluice.*", cluster=~"$cluster|"}',
  titleFormat: '{{alertname}}',
  textFormat: '{{severity}}',
  step: '60s',
};

function labelValues(name: string, label: string, series: string) {
  return {
    name,
    label,
    type: 'query',
    datasource: SOURCE,
    query: { query: `label_values(${series}, ${name})`, refId: name },
    definition: `label_values(${series}, ${name})`,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
    refresh: 2,
    sort: 1,
  };
}
