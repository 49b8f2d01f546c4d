/** The expressions that panels are made of. */

export interface Query {
  /** Of each series; `{{label}}` takes from its labels. */
  readonly legend: string;
  readonly expr: string;
}

/** Part of each selector: series of the clusters that are chosen above. */
export const on = 'cluster=~"$cluster"';

/** The same of models, where series have them. */
export const onModel = `${on}, model=~"$model"`;

/** The same of tenants. */
export const onTenant = `${on}, tenant=~"$tenant"`;

export function query(legend: string, expr: string): Query {
  return { legend, expr };
}

/** How often a counter counts, each second. @param by labels that it is split by, with commas between them */
export function perSecond(counter: string, selector: string, by?: string): string {
  return `sum${by ? ` by (${by})` : ''} (rate(${counter}{${selector}}[$__rate_interval]))`;
}

/** The part of a counter that further matchers choose; nothing where nothing is counted. */
export function share(counter: string, selector: string, part: string, by?: string): string {
  const whole = perSecond(counter, selector, by);
  return `(${perSecond(counter, `${selector}, ${part}`, by)} or 0 * ${whole}) / ${whole}`;
}

/** The part of what a histogram has seen that is at most one of its buckets. */
export function shareWithin(histogram: string, selector: string, seconds: number): string {
  const within = perSecond(`${histogram}_bucket`, `${selector}, le="${seconds}"`);
  return `${within} / ${perSecond(`${histogram}_count`, selector)}`;
}

/** Quantiles of a histogram, a series each. @param by label that they are split by, beside `le` */
export function quantiles(
  shares: readonly number[],
  histogram: string,
  selector: string,
  by?: string,
): readonly Query[] {
  const labels = by ? `le, ${by}` : 'le';
  const buckets = perSecond(`${histogram}_bucket`, selector, labels);
  return shares.map((share) => {
    const name = `p${share * 100}`;
    const legend = by ? `{{${by}}} ${shares.length > 1 ? name : ''}`.trim() : name;
    return { legend, expr: `histogram_quantile(${share}, ${buckets})` };
  });
}
