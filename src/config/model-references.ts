/** What models refer to: servers, each other, and names that must mean one of them only. */
import { type Finding, formatPath, type Path, quoted } from './fault.ts';
import type { ModelOutline, Outline } from './outline.ts';

export function twice(path: Path, name: string, first: Path, remedy: string): Finding {
  return { path, problem: `${quoted(name)} stands at ${formatPath(first)} already`, remedy };
}

const NAMES_SHOWN_MAX = 8;

export function orAdd(known: Iterable<string | undefined>, section: string): string {
  const names = [...known].filter((name) => name !== undefined).slice(0, NAMES_SHOWN_MAX);
  return names.length === 0
    ? `add it under ${section}`
    : `name one of ${names.join(', ')}, or add it under ${section}`;
}

export function checkModels(outline: Outline): Finding[] {
  return [
    ...outline.models.flatMap((model, index) => [
      ...upstreamsOrVersions(model, ['models', index]),
      ...poolsOf(model, ['models', index]).flatMap((pool) => unfitPool(pool, outline)),
      ...unfitVersions(model, ['models', index, 'versions']),
      ...unfitFallbacks(model, ['models', index, 'fallbacks'], outline),
    ]),
    ...ambiguousNames(outline),
    ...fallbackCycles(outline),
    ...unknownDefault(outline),
  ];
}

function upstreamsOrVersions({ upstreams, versions }: ModelOutline, path: Path): Finding[] {
  if (upstreams && versions) {
    const remedy = 'move the servers into one of the versions, or leave the versions out';
    return [{ path: [...path, 'versions'], problem: 'stands beside upstreams', remedy }];
  }
  if (upstreams || versions) return [];
  const remedy = 'add it, with the servers of its pool by name, or add versions that have such';
  return [{ path: [...path, 'upstreams'], problem: 'is missing', remedy }];
}

interface NamedPool {
  readonly path: Path;
  readonly names: readonly (string | undefined)[];
}

function poolsOf({ upstreams = [], versions = [] }: ModelOutline, path: Path): NamedPool[] {
  return [
    { path: [...path, 'upstreams'], names: upstreams },
    ...versions.map(({ upstreams: names }, index) => ({
      path: [...path, 'versions', index, 'upstreams'],
      names,
    })),
  ];
}

function unfitPool({ path, names }: NamedPool, { upstreams }: Outline): Finding[] {
  const known = new Set(upstreams.map(({ name }) => name));
  return names.flatMap((name, position): Finding[] => {
    if (name === undefined) return [];
    const first = names.indexOf(name);
    const place = [...path, position];
    if (first < position) return [twice(place, name, [...path, first], 'name each upstream once')];
    if (known.has(name)) return [];
    const problem = `no upstream is named ${quoted(name)}`;
    return [{ path: place, problem, remedy: orAdd(known, 'upstreams') }];
  });
}

function unfitVersions({ versions = [] }: ModelOutline, path: Path): Finding[] {
  const findings: Finding[] = [];
  const names = versions.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    const first = names.indexOf(name);
    if (name === undefined || first === index) continue;
    const remedy = 'give each version of a model a name of its own';
    findings.push(twice([...path, index, 'name'], name, [...path, first, 'name'], remedy));
  }
  if (versions.length > 0 && versions.every(({ weight }) => weight === 0)) {
    const problem = 'all versions have weight 0, so none of them would be chosen';
    findings.push({ path, problem, remedy: 'give at least one of them a weight' });
  }
  return findings;
}

function unfitFallbacks({ name: own, fallbacks }: ModelOutline, path: Path, outline: Outline): Finding[] {
  const known = new Set(outline.models.map(({ name }) => name));
  const mayTurnUp = outline.upstreams.some(({ discover }) => discover);
  return fallbacks.flatMap((name, position): Finding[] => {
    if (name === undefined) return [];
    const place = [...path, position];
    const first = fallbacks.indexOf(name);
    if (first < position) return [twice(place, name, [...path, first], 'name each fallback once')];
    if (name === own) {
      return [{ path: place, problem: 'a model cannot stand in for itself', remedy: 'remove it' }];
    }
    const model = outline.models.find(({ aliases }) => aliases.includes(name));
    if (known.has(name) || (mayTurnUp && !model)) return [];
    const problem = `no model is named ${quoted(name)}`;
    const remedy = model?.name
      ? `it is an alias; write the public name ${model.name}`
      : orAdd(known, 'models');
    return [{ path: place, problem, remedy }];
  });
}

/** A name that a client sends must mean one model, or one version of one. */
function ambiguousNames({ models }: Outline): Finding[] {
  const findings: Finding[] = [];
  const names = new Map<string, Path>();
  const claim = (name: string | undefined, path: Path, remedy: string) => {
    const first = name === undefined ? undefined : names.get(name);
    if (name !== undefined && first) findings.push(twice(path, name, first, remedy));
    else if (name !== undefined) names.set(name, path);
  };
  for (const [index, { name }] of models.entries()) {
    claim(name, ['models', index, 'name'], 'give each model a name of its own');
  }
  for (const [index, { name, versions = [] }] of models.entries()) {
    for (const [position, { name: version }] of versions.entries()) {
      const isFirst = versions.findIndex((one) => one.name === version) === position;
      const path = ['models', index, 'versions', position, 'name'];
      const remedy = 'clients could not tell the two apart; rename one of them';
      if (name !== undefined && version !== undefined && isFirst) claim(`${name}@${version}`, path, remedy);
    }
  }
  for (const [index, { aliases }] of models.entries()) {
    for (const [position, alias] of aliases.entries()) {
      const remedy =
        alias === '*' ? 'let * stand for one model only' : 'remove it from one of the two places';
      claim(alias, ['models', index, 'aliases', position], remedy);
    }
  }
  return findings;
}

/** Each circle is said once, at the model of it that stands first. */
function fallbackCycles({ models }: Outline): Finding[] {
  const byName = new Map(models.map((model, index) => [model.name, { ...model, index }]));
  return models.flatMap(({ name, fallbacks }, index): Finding[] => {
    if (name === undefined) return [];
    const seen = new Set<string>();
    const leadsBack = (from: string): boolean => {
      const next = byName.get(from);
      if (!next || next.index < index || seen.has(from)) return false;
      seen.add(from);
      return next.fallbacks.some((one) => one === name || (one !== undefined && leadsBack(one)));
    };
    const position = fallbacks.findIndex((one) => one !== undefined && one !== name && leadsBack(one));
    if (position < 0) return [];
    const problem = `${quoted(fallbacks[position] ?? '')} falls back to this model in turn`;
    return [{ path: ['models', index, 'fallbacks', position], problem, remedy: 'remove one of the steps' }];
  });
}

/** Where an upstream serves whatever it lists, the name may turn out to be one of these. */
function unknownDefault({ default_model: name, models, upstreams }: Outline): Finding[] {
  if (name === undefined || upstreams.some(({ discover }) => discover)) return [];
  const isKnown = models.some(
    (model) => model.name === name || (name !== '*' && model.aliases.includes(name)),
  );
  if (isKnown) return [];
  const remedy = orAdd(new Set(models.map((model) => model.name)), 'models');
  return [{ path: ['default_model'], problem: `no model is named ${quoted(name)}`, remedy }];
}
