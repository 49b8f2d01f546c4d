/** Every expression that panels and rules are made of. */
import type { Dashboard } from '../../../grafana/dashboard.ts';
import { readRules } from './rules.ts';

export interface Expression {
  /** Where it stands, such as `sluice-jobs/2 A` or `SluiceQueueOld 1`; fixed, to be listed. */
  readonly place: string;
  readonly expr: string;
  /** Labels that the legend names. */
  readonly labels: readonly string[];
}

export function ofPanels(dashboards: readonly Dashboard[], window: string): readonly Expression[] {
  return dashboards.flatMap(({ uid, rows }) =>
    rows
      .flatMap(({ panels }) => panels)
      .flatMap(({ id, queries }) =>
        queries.map(({ legend, expr }, index) => ({
          place: `${uid}/${id} ${String.fromCharCode(65 + index)}`,
          expr: withoutVariables(expr, window),
          labels: [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
        })),
      ),
  );
}

/** Of an alert, which is silent, each part that says something by itself, without what it is compared with. */
export function ofRules(): readonly Expression[] {
  return readRules().flatMap(({ name, isAlert, expr }) => {
    const parts = isAlert ? partsOf(expr).map(withoutComparisons) : [expr];
    return parts.map((part, index) => ({ place: `${name} ${index + 1}`, expr: part, labels: [] }));
  });
}

/** As Grafana would fill them in where all are chosen. */
function withoutVariables(expr: string, window: string): string {
  return expr.replaceAll('$__rate_interval', window).replaceAll(/\$(cluster|model|tenant)/g, '.*');
}

/** What `and`, `or` and `unless` hold together. */
export function partsOf(expr: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const [token] of expr.matchAll(/"[^"]*"|\w+|[\s\S]/g)) {
    if ('({['.includes(token)) depth += 1;
    else if (')}]'.includes(token)) depth -= 1;
    if (depth === 0 && ['and', 'or', 'unless'].includes(token)) {
      parts.push(part.trim());
      part = '';
    } else part += token;
  }
  parts.push(part.trim());
  const [only = ''] = parts;
  if (parts.length > 1) return parts.flatMap(partsOf);
  return isBracketed(only) ? partsOf(only.slice(1, -1)) : [only];
}

function isBracketed(expr: string): boolean {
  if (!expr.startsWith('(') || !expr.endsWith(')')) return false;
  let depth = 0;
  for (const [index, char] of [...expr].entries()) {
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    if (depth === 0) return index === expr.length - 1;
  }
  return false;
}

/** A sum has data where both sides of a comparison have them, whatever the outcome of that would be. */
export function withoutComparisons(expr: string): string {
  return expr.replaceAll(/\{[^}]*\}|"[^"]*"|[=!><]=|[><]/g, (token) => (/^["{]/.test(token) ? token : '+'));
}

/** Names of series, without what a histogram puts behind its own. */
export function metricsIn(expr: string): readonly string[] {
  const bare = expr.replaceAll(/\{[^}]*\}|"[^"]*"|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ');
  const words = bare.matchAll(/\b[a-zA-Z_][\w:]*\b(?!\s*\()/g);
  return [...words]
    .map(([word]) => word)
    .filter((word) => !['and', 'or', 'unless', 'offset'].includes(word))
    .map((word) => word.replace(/_(bucket|sum|count)$/, ''));
}
