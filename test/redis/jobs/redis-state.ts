/** Compares all that Redis holds of jobs with the model; each difference is a line of text. */
import type { Redis } from 'ioredis';
import { keys } from './ground.ts';
import { dueMs, type ModelJob, type ReferenceModel } from './reference-model.ts';

export async function differencesOfState(client: Redis, model: ReferenceModel): Promise<string[]> {
  const root = keys.jobRoot();
  const inRedis = new Set<string>();
  for (const name of await client.keys(`${root}:*`)) {
    for (const fact of await factsOf(client, name, name.slice(root.length + 1))) inRedis.add(fact);
  }
  const inModel = new Set([
    ...model.jobs.flatMap(factsOfJob),
    ...factsOfLines(model),
    ...factsOfTotals(model),
  ]);
  return [
    ...[...inModel].filter((fact) => !inRedis.has(fact)).map((fact) => `${fact}: in the model alone`),
    ...[...inRedis].filter((fact) => !inModel.has(fact)).map((fact) => `${fact}: in Redis alone`),
  ];
}

async function factsOf(client: Redis, name: string, short: string): Promise<string[]> {
  const [kind = ''] = short.split(':');
  if (kind === 'job') {
    const { status, attempt = 0, tries = 0, result = '', usage = '' } = await client.hgetall(name);
    return [`${short} ${status} ${attempt} ${Number(tries)} ${result} ${usage}`];
  }
  if (kind === 'once') return [`${short} ${await client.get(name)}`];
  if (kind === 'meta') {
    const { jobs, bytes } = await client.hgetall(name);
    return [`meta ${jobs} ${bytes}`];
  }
  if (kind === 'lines') return (await client.smembers(name)).map((line) => `lines ${line}`);
  if (kind === 'line') {
    const { virtual, handed_cost } = await client.hgetall(name);
    return [`${short} ${Number(virtual)} ${Number(handed_cost)}`];
  }
  if (kind === 'tenants' || kind === 'flows') {
    const all = Object.entries(await client.hgetall(name));
    return all.map(([tenant, text]) => `${short} ${tenant} ${text.split(' ').slice(0, 2).join(' ')}`);
  }
  const scored = (await client.zrange(name, 0, '-1', 'WITHSCORES')).flat().map(String);
  const members = scored.filter((_, index) => index % 2 === 0);
  if (kind === 'waiting') return [`${short} ${members.join(' ')}`];
  // Of those, the tests of attempts look at the times.
  if (kind === 'handed') return members.map((member) => `${short} ${member}`);
  return members.map((member, index) => `${short} ${member} ${Number(scored[2 * index + 1])}`);
}

function factsOfJob(job: ModelJob): string[] {
  const { id, status, attempt, tries, result = '', usage = '', createdMs, line } = job;
  return [
    `job:${id} ${status} ${attempt} ${tries} ${result} ${usage}`,
    `due ${id} ${dueMs(job)}`,
    `of:${job.tenant} ${id} ${createdMs}`,
    ...(job.place === 'waiting' ? [`queued:${line} ${id} ${createdMs}`] : []),
    ...(job.place === 'handed' ? [`handed:${line} ${id}`] : []),
    ...(job.place === 'over' ? [] : [`lines ${line}`]),
  ];
}

function factsOfLines(model: ReferenceModel): string[] {
  return [...model.lines].flatMap(([name, line]) => {
    const unfinished = model.jobs.filter((job) => job.line === name && job.place !== 'over');
    const handedCost = sum(unfinished.filter(({ place }) => place === 'handed').map(({ cost }) => cost));
    const tenants = new Set([...line.tags.keys(), ...unfinished.map(({ tenant }) => tenant)]);
    const ofTenants = [...tenants].flatMap((tenant) => {
      const jobs = unfinished
        .filter((job) => job.tenant === tenant && job.place === 'waiting')
        .sort((one, other) => other.priority - one.priority || one.sequence - other.sequence);
      const tag = model.tag(name, tenant);
      const isReady = jobs.length > 0 && !line.parked.has(tenant);
      const place = isReady ? [`ready:${name} ${tenant} ${tag}`] : [];
      if (!isReady && tag > line.virtual) place.push(`away:${name} ${tenant} ${tag}`);
      if (jobs.length === 0) return place;
      const cost = sum(jobs.map((job) => job.cost));
      const ids = jobs.map(({ id }) => id).join(' ');
      return [...place, `waiting:${tenant}:${name} ${ids}`, `flows:${name} ${tenant} ${jobs.length} ${cost}`];
    });
    const parked = [...line.parked].map(([tenant, untilMs]) => `parked:${name} ${tenant} ${untilMs}`);
    return [`line:${name} ${line.virtual} ${handedCost}`, ...ofTenants, ...parked];
  });
}

function factsOfTotals(model: ReferenceModel): string[] {
  const unfinished = model.jobs.filter(({ place }) => place !== 'over');
  const bytes = (jobs: readonly ModelJob[]) => sum(jobs.map((job) => job.bytes));
  const tenants = new Set(unfinished.map(({ tenant }) => tenant));
  const ofTenants = [...tenants].map((tenant) => {
    const own = unfinished.filter((job) => job.tenant === tenant);
    return `tenants ${tenant} ${own.length} ${bytes(own)}`;
  });
  const entries = [...model.entries].map(([key, { job, body }]) => {
    return `once:${key.replace(' ', ':')} ${job} ${body}`;
  });
  const unrun = [...model.unrun].map(([member, atMs]) => `unrun ${member} ${atMs}`);
  return [...ofTenants, ...entries, ...unrun, `meta ${unfinished.length} ${bytes(unfinished)}`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
