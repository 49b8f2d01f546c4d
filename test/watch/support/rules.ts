/** The rules of deploy/prometheus/rules, as far as tests look at them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const prometheusFolder = fileURLToPath(new URL('../../../deploy/prometheus/', import.meta.url));

export interface Rule {
  /** Of the series that it records, or of the alert. */
  readonly name: string;
  readonly isAlert: boolean;
  readonly expr: string;
  /** That it adds. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert?: string;
      readonly record?: string;
      readonly expr: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    }[];
  }[];
}

export function readRules(): readonly Rule[] {
  const files = globSync('rules/*.yaml', { cwd: prometheusFolder }).toSorted();
  return files.flatMap((file) => {
    const { groups } = parse(readFileSync(join(prometheusFolder, file), 'utf8')) as RuleFile;
    return groups.flatMap(({ rules }) =>
      rules.map(({ alert, record = '', expr, labels = {}, annotations = {} }) => ({
        name: alert ?? record,
        isAlert: alert !== undefined,
        expr,
        labels,
        annotations,
      })),
    );
  });
}
