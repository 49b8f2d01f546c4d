import { noticesEach, type PlantedFault } from '../planted-faults.ts';
import { openGround } from './ground.ts';
import { randomRun } from './random-run.ts';

const faults: readonly PlantedFault[] = [
  {
    name: 'accept comes too late and takes the job',
    right: 'if now > tonumber(ARGV[4]) then',
    wrong: 'if false then',
  },
  {
    name: 'accept takes a job twice',
    right: 'if known then return { 0, id, rank_of(known) } end',
    wrong: '',
  },
  {
    name: 'accept does not compare bodies',
    right: "if body ~= ARGV[6] then return { 2, '', 0 } end",
    wrong: '',
  },
  {
    name: 'accept lets debts of the last busy period stand',
    right: "redis.call('DEL', line.away)",
    wrong: '',
  },
  {
    name: 'a tenant saves turns up while it is idle',
    right: '  return math.max(line.virtual, tonumber(tag or 0))\n',
    wrong: '  return tonumber(tag or 0)\n',
  },
  {
    name: 'pick charges each job the same',
    right: 'place_tenant(line, job.tenant, tag + job.span)',
    wrong: 'place_tenant(line, job.tenant, tag + 1000)',
  },
  {
    name: 'pick forgets that virtual time goes on',
    right: 'line.virtual = math.max(line.virtual, tag)',
    wrong: '',
  },
  {
    name: 'pick runs what has expired',
    right: 'if job and job.expires_ms > now then',
    wrong: 'if job then',
  },
  {
    name: 'put back charges what has not run',
    right: 'place_tenant(line, job.tenant, tag_of(line, job.tenant) - job.span)\nif has_begun',
    wrong: 'place_tenant(line, job.tenant, tag_of(line, job.tenant))\nif has_begun',
  },
  {
    name: 'put back takes a job from another attempt',
    right: 'if (has_begun and given ~= job.attempt) or',
    wrong: 'if',
  },
  {
    name: 'finish listens to an attempt that was superseded',
    right: 'if job.attempt ~= attempt then',
    wrong: 'if false then',
  },
  {
    name: 'finish changes what was over',
    right: 'if job.is_over then\n    if tonumber',
    wrong: 'if false then\n    if tonumber',
  },
  {
    name: 'start gives a lost reply a new number',
    right: "if job.status == 'in_progress' and job.holder == ARGV[2] then",
    wrong: 'if false then',
  },
  {
    name: 'start runs what waits again',
    right: "if not redis.call('ZSCORE', line.handed, job.id) then",
    wrong: 'if false then',
  },
  {
    name: 'an ended job counts as unfinished',
    right: '  count_unfinished(job, -1)\n',
    wrong: '',
  },
  {
    name: 'cancel does not ask whose job it is',
    right: "if not job or (ARGV[2] ~= '' and job.tenant ~= ARGV[2]) then",
    wrong: 'if not job then',
  },
  {
    name: 'a forgotten job keeps its key',
    right: "then redis.call('DEL', once) end",
    wrong: 'then end',
  },
  {
    name: 'a parked tenant is picked',
    right: "if waits and not redis.call('ZSCORE', line.parked, tenant) then",
    wrong: 'if waits then',
  },
];

noticesEach(
  faults,
  async (t, adapt) => (await randomRun(await openGround(t, { adapt }), 7, 5_000)).difference,
);
