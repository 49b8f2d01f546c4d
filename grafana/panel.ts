/** What a panel says, and Grafana's JSON of it. */
import type { Query } from './query.ts';

/** Names of Grafana's own. A panel shows all that it shows in one of them. */
export type Unit =
  | 'bool_yes_no'
  | 'bytes'
  | 'currencyUSD'
  | 'dateTimeAsIso'
  | 'percentunit'
  | 'reqps'
  | 's'
  | 'short'
  | 'tokps';

/** Where a value turns from well to bad. Two numbers: the first to look at, the second to act upon. */
export interface Limits {
  readonly bad: 'above' | 'below';
  readonly values: readonly number[];
}

export interface Panel {
  /** Fixed for ever: alerts and bookmarks lead to it. Unique within its dashboard. */
  readonly id: number;
  readonly kind: 'stat' | 'graph' | 'stack' | 'table' | 'heatmap';
  readonly title: string;
  /** The question that it answers, and how to read the answer. */
  readonly question: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly limits?: Limits;
  /** Those whose runbook entries it links, and which lead here. */
  readonly alerts?: readonly string[];
  /** Of 24. */
  readonly width: number;
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export const SOURCE = { type: 'prometheus', uid: '$datasource' } as const;

export function above(...values: readonly number[]): Limits {
  return { bad: 'above', values };
}

export function below(...values: readonly number[]): Limits {
  return { bad: 'below', values };
}

export function heightOf({ kind }: Panel): number {
  return kind === 'stat' ? 4 : 8;
}

export function panelJson(panel: Panel, gridPos: Place): object {
  const isInstant = panel.kind === 'stat' || panel.kind === 'table';
  return {
    id: panel.id,
    type: types[panel.kind],
    title: panel.title,
    description: panel.question,
    gridPos,
    datasource: SOURCE,
    targets: panel.queries.map(({ legend, expr }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      instant: isInstant,
      range: !isInstant,
      ...(panel.kind === 'table' && { format: 'table' }),
      ...(panel.kind === 'heatmap' && { format: 'heatmap' }),
    })),
    fieldConfig: {
      defaults: { unit: panel.unit, thresholds: stepsOf(panel.limits), ...fieldOf(panel) },
      overrides: [],
    },
    options: optionsOf(panel),
    ...(panel.kind === 'table' && { transformations: tidyTable }),
    links: (panel.alerts ?? []).map((alert) => ({
      title: `Runbook: ${alert}`,
      url: `/d/${RUNBOOK_UID}?viewPanel=${runbookPanelId(alert)}`,
    })),
  };
}

export const RUNBOOK_UID = 'sluice-runbook';

/** The same for a name for ever: FNV-1a, within what a panel may be numbered. */
export function runbookPanelId(alert: string): number {
  let hash = 0x811c9dc5;
  for (const char of alert) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return 1_000 + (hash % 1_000_000);
}

const types = {
  stat: 'stat',
  graph: 'timeseries',
  stack: 'timeseries',
  table: 'table',
  heatmap: 'heatmap',
} as const;

const tidyTable = [
  { id: 'organize', options: { excludeByName: { Time: true, __name__: true, Value: true } } },
];

function stepsOf(limits: Limits | undefined): object {
  const [first, second] = limits?.values ?? [];
  const steps: { color: string; value: number | null }[] = [];
  if (limits === undefined || first === undefined) steps.push({ color: 'green', value: null });
  else if (limits.bad === 'above') {
    steps.push(
      { color: 'green', value: null },
      { color: second === undefined ? 'red' : 'orange', value: first },
    );
    if (second !== undefined) steps.push({ color: 'red', value: second });
  } else {
    steps.push({ color: 'red', value: null });
    if (second !== undefined) steps.push({ color: 'orange', value: second });
    steps.push({ color: 'green', value: first });
  }
  return { mode: 'absolute', steps };
}

function fieldOf({ kind, limits }: Panel): object {
  if (kind === 'graph' || kind === 'stack') {
    return {
      min: 0,
      custom: {
        drawStyle: 'line',
        lineWidth: 1,
        fillOpacity: kind === 'stack' ? 40 : 5,
        showPoints: 'never',
        stacking: { mode: kind === 'stack' ? 'normal' : 'none', group: 'A' },
        thresholdsStyle: { mode: limits ? 'dashed' : 'off' },
      },
    };
  }
  return { noValue: '–' };
}

function optionsOf({ kind, limits }: Panel): object {
  if (kind === 'stat') {
    return {
      colorMode: limits ? 'background' : 'value',
      graphMode: 'none',
      textMode: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    };
  }
  if (kind === 'heatmap')
    return { calculate: false, yAxis: { unit: 's' }, color: { scheme: 'Oranges', steps: 32 } };
  if (kind === 'table') return { showHeader: true, footer: { show: false } };
  return {
    legend: { showLegend: true, displayMode: 'table', placement: 'right', calcs: ['mean', 'max'] },
    tooltip: { mode: 'multi', sort: 'desc' },
  };
}
