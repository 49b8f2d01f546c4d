/** Plain values as they come from file and environment, before the schema has seen them. */
import type { Path } from './fault.ts';

export type Values = Record<string, unknown>;

export function isMapping(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Mappings are joined, everything else is replaced. */
export function merge(under: Readonly<Values>, over: Readonly<Values>): Values {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    return [key, isMapping(below) && isMapping(value) ? merge(below, value) : value];
  });
  return { ...under, ...Object.fromEntries(merged) };
}

/** Puts a value at a path. Where something of the wrong type stands in the way it stays, and the schema objects to it. */
export function put<Container>(
  container: Container,
  { path, value }: { path: Path; value: unknown },
): Container {
  const [step, ...rest] = path;
  if (step === undefined) return value as Container;
  if (typeof step === 'number') {
    const list: unknown = container ?? [];
    if (!Array.isArray(list)) return container;
    const copy = [...list];
    copy[step] = put(list[step], { path: rest, value });
    return copy as Container;
  }
  const mapping: unknown = container ?? {};
  if (!isMapping(mapping)) return container;
  return { ...mapping, [step]: put(mapping[step], { path: rest, value }) } as Container;
}

export function upstreamsOf(raw: Readonly<Values>): readonly unknown[] {
  return Array.isArray(raw.upstreams) ? raw.upstreams : [];
}

export function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

/** To its depths, in place. */
export function freeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}
