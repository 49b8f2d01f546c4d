import { noticesEach, type PlantedFault } from '../planted-faults.ts';
import { openGround } from './ground.ts';
import { randomRun } from './random-run.ts';

const faults: readonly PlantedFault[] = [
  {
    name: 'admit does not look at slots',
    right: 'if not reason and wants.slot and scope.slots_max and',
    wrong: 'if false and',
  },
  {
    name: 'admit takes what it refuses',
    right: 'reason, wait = refusal_of(call)\n',
    wrong: 'reason, wait = refusal_of(call)\n    if reason then take(call) end\n',
  },
  {
    name: 'admit gives each bucket the burst of its rate',
    right: 'local rate, burst = tonumber(rate_text), tonumber(burst_text)',
    wrong: 'local rate, burst = tonumber(rate_text), tonumber(rate_text)',
  },
  {
    name: 'admit decides anew on a ticket that is there',
    right: 'if call.before or not (known[index] or taken[call.id]) then',
    wrong: 'if true then',
  },
  {
    name: 'a ticket that is resumed pays its requests again',
    right: 'requests = call.requests and not has(mask, REQUESTS),',
    wrong: 'requests = call.requests,',
  },
  {
    name: 'a ticket that is resumed keeps a slot that has run out',
    right: "if before.state == 'x' and has(mask, SLOT) then mask = mask - SLOT end",
    wrong: '',
  },
  {
    name: 'a ticket that is resumed is charged anew to the period of today',
    right: 'state, ticket.owner, ticket.at, masks,',
    wrong: 'state, ticket.owner, now, masks,',
  },
  {
    name: 'a ticket that is resumed forgets that it was booked',
    right: "return state == 'x' and 'b' or state",
    wrong: "return 'o'",
  },
  {
    name: 'admit does not compare versions',
    right: 'if batch[1] ~= tonumber(meta[1] or 0) then return { -1 } end',
    wrong: '',
  },
  {
    name: 'settle forgets the refund of tokens',
    right: 'charge_bucket(one.tokens, deltas[2])',
    wrong: 'charge_bucket(one.tokens, math.max(0, deltas[2]))',
  },
  {
    name: 'settle charges the quota of today, not that of the admission',
    right: 'quota.period == period_at(period, ticket.at)',
    wrong: 'quota.period == period_at(period, now)',
  },
  {
    name: 'settle leaves no marker',
    right: 'settle_absent(call)\n    leave_marker(call.id)',
    wrong: 'settle_absent(call)',
  },
  {
    name: 'settle books twice what was lost',
    right: "if ticket.state ~= 'o' and ticket.state ~= 'r' then",
    wrong: 'if false then',
  },
  {
    name: 'settle frees the slot of a ticket that has run out',
    right: "if scope.slot and ticket.state ~= 'x' then",
    wrong: 'if scope.slot then',
  },
  {
    name: 'settle applies a batch again',
    right: 'then return { -1 } end\n\nlocal LAST_KEPT_MS',
    wrong: 'then end\n\nlocal LAST_KEPT_MS',
  },
  {
    name: 'renew leaves the slot that has run out',
    right: 'move_slots_of(ticket, 1)',
    wrong: '',
  },
  {
    name: 'a call that was put off keeps its slot',
    right: "if ticket.state ~= 'x' then move_slots_of(ticket, -1) end",
    wrong: '',
  },
  {
    name: 'a call that was put off twice frees its slot twice',
    right: 'has(mask, SLOT) and mask - SLOT or mask)',
    wrong: 'mask)',
  },
  {
    name: 'what has not run and runs out keeps its quota',
    right: '      give_quotas_back(ticket)\n',
    wrong: '',
  },
  {
    name: 'what has not run and runs out is booked as lost',
    right: "elseif ticket.state == 'r' then",
    wrong: 'elseif false then',
  },
  {
    name: 'what has run at last runs out as if it had not',
    right: "if state == 'r' and (call.slot or call.requests) then return 'o' end",
    wrong: '',
  },
  {
    name: 'settle books what another attempt has closed',
    right: 'if not ticket and call.owner.shared and not call.void then',
    wrong: 'if false then',
  },
  {
    name: 'settle leaves no marker of a job that was given up',
    right: 'if call.void and call.owner.shared then',
    wrong: 'if false then',
  },
  {
    name: 'expiry forgets the slot',
    right: '      move_slots_of(ticket, -1)\n',
    wrong: '',
  },
  {
    name: 'expiry books nothing',
    right: "if ticket.state == 'o' then",
    wrong: 'if false then',
  },
  {
    name: 'expiry books again what was booked',
    right: "if ticket.state == 'o' then",
    wrong: 'if true then',
  },
  {
    name: 'debt has no bound',
    right: 'math.min(zero, bucket_now + span)',
    wrong: 'zero',
  },
  {
    name: 'the clock steps back',
    right: 'if seen > now and seen - now <= CLOCK_BACK_MS_MAX then',
    wrong: 'if false then',
  },
  {
    name: 'a wrong clock is never believed',
    right: 'if seen > now and seen - now <= CLOCK_BACK_MS_MAX then',
    wrong: 'if seen > now then',
  },
];

noticesEach(
  faults,
  async (t, adapt) => (await randomRun(await openGround(t, { adapt }), 7, 5_000)).difference,
);
