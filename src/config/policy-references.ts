/** What policies refer to, who refers to them, and whether they do anything at all. */
import { type Finding, type Path, quoted } from './fault.ts';
import { orAdd, twice } from './model-references.ts';
import type { Outline, PolicyOutline } from './outline.ts';
import { checkParameters } from './policy-parameters.ts';
import { configSchema } from './schema.ts';

export function checkPolicies(outline: Outline): Finding[] {
  const caps = { ...configSchema.shape.caps.parse({}), ...given(outline.caps) };
  return [
    ...outline.policies.flatMap((policy, index) => {
      const path = ['policies', index];
      return [
        ...idle(policy, path),
        ...unknownModels(policy, path, outline),
        ...checkParameters(policy, path, caps),
        ...unknownPlaceholders(policy, path),
      ];
    }),
    ...repeated(
      'policies',
      outline.policies.map(({ name }) => name),
    ),
    ...repeated(
      'tenants',
      outline.tenants.map(({ name }) => name),
    ),
    ...unknownPolicies(outline),
  ];
}

function given<Value>(fields: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Value] => entry[1] !== undefined),
  );
}

/** An empty list of hosts does something: it allows none. */
function idle(policy: PolicyOutline, path: Path): Finding[] {
  const acts = Object.entries(policy).some(([field, value]) => {
    if (field === 'name' || value === null || value === '') return false;
    return field === 'media_hosts' || typeof value !== 'object' || Object.keys(value).length > 0;
  });
  if (acts) {
    if (typeof policy.model !== 'string' || typeof policy.default_model !== 'string') return [];
    const problem = 'stands beside model, which every request gets';
    return [{ path: [...path, 'default_model'], problem, remedy: 'remove one of the two' }];
  }
  const remedy = 'give it a rule, such as caps: {max_tokens: 1000}, or remove it';
  return [{ path, problem: 'the policy does nothing', remedy }];
}

function unknownModels(policy: PolicyOutline, path: Path, { models, upstreams }: Outline): Finding[] {
  // Where a server serves whatever it lists, the name may turn out to be one of these.
  if (upstreams.some(({ discover }) => discover)) return [];
  const known = new Set(
    models.flatMap(({ name, aliases, versions = [] }) => [
      name,
      ...aliases.filter((alias) => alias !== '*'),
      ...versions.map((version) => `${name}@${version.name}`),
    ]),
  );
  return (['model', 'default_model'] as const).flatMap((field) => {
    const name = policy[field];
    if (typeof name !== 'string' || known.has(name)) return [];
    const problem = `no model is named ${quoted(name)}`;
    const remedy = orAdd(new Set(models.map((model) => model.name)), 'models');
    return [{ path: [...path, field], problem, remedy }];
  });
}

function unknownPlaceholders({ suffix_text: text }: PolicyOutline, path: Path): Finding[] {
  if (typeof text !== 'string') return [];
  const found = text.match(/\{[^{}]*\}/g)?.find((one) => one !== '{tenant}' && one !== '{request_id}');
  if (found === undefined) return [];
  const problem = `${quoted(found)} is no placeholder`;
  return [{ path: [...path, 'suffix_text'], problem, remedy: 'there are {tenant} and {request_id}' }];
}

function repeated(section: string, names: readonly unknown[]): Finding[] {
  const seen = new Map<string, Path>();
  return names.flatMap((name, index) => {
    if (typeof name !== 'string') return [];
    const path = [section, index, 'name'];
    const first = seen.get(name);
    if (first) return [twice(path, name, first, 'give each a name of its own')];
    seen.set(name, path);
    return [];
  });
}

function unknownPolicies({ policies, defaults, tenants, auth }: Outline): Finding[] {
  const known = new Set(policies.flatMap(({ name }) => (typeof name === 'string' ? [name] : [])));
  const places: [Path, string | undefined][] = [
    [['defaults', 'key', 'policy'], defaults.key.policy],
    [['defaults', 'tenant', 'policy'], defaults.tenant.policy],
    ...tenants.map(({ policy }, index): [Path, string | undefined] => [['tenants', index, 'policy'], policy]),
    ...Object.entries(auth.jwt.plans).map(([name, { policy }]): [Path, string | undefined] => [
      ['auth', 'jwt', 'plans', name, 'policy'],
      policy,
    ]),
  ];
  return places.flatMap(([path, name]) => {
    if (name === undefined || known.has(name)) return [];
    const problem = `no policy is named ${quoted(name)}`;
    return [{ path, problem, remedy: orAdd(known, 'policies') }];
  });
}
