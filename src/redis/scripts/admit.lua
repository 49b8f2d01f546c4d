-- May these calls run? Decides on requests per minute, tokens per minute, concurrency and quotas of all scopes of
-- each call together, and takes all or nothing.
--
-- Why one script. Whoever reads a counter, thinks, and writes it back lets N replicas admit N times the limit.
-- Whoever takes from one counter after the other has to give back when the third one refuses, and a crash in
-- between leaks. Here Redis does nothing else meanwhile, so a refused call has changed nothing.
--
-- Why token buckets. A window of a minute admits two limits within a second, at its edge. A bucket admits, in any
-- interval T, at most burst + rate * T. Rate and burst are apart: the sum of a minute is what a limit says, the
-- burst is how unevenly it may come.
--
-- Why tokens are reserved. What a call costs is known when it is over, and by then two hundred more may run. So
-- the estimate is taken before, and `settle.lua` puts it right. A call that is estimated above the burst would
-- never fit: it is admitted when the bucket is full, and the rest is debt. While there is debt nobody is admitted.
-- Debt beyond one burst is forgiven in the bucket: a tenant who was once estimated badly is not locked out for an
-- hour. Usage, quotas and money forgive nothing.
--
-- Why a ticket. It names what was taken, so that it can be given back exactly once: by its holder, or by whoever
-- finds that its lease has run out. A ticket that is there already gets its first verdict again, because a reply
-- may be lost after the script has run.
--
-- Why a ticket may be resumed. A job reserves its quota at the door and needs rate and slot when it runs, hours later;
-- and when its worker dies, the next attempt goes on with what the last one has taken. Whoever gave back first and
-- asked again would lose to others in between. What the ticket holds is not asked for, and not paid, a second time;
-- where the rest is refused it stays as it was.
--
-- Everything is read and decided before the first write: where Redis is out of memory the first write fails, and
-- then nothing has been taken.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] a JSON array, because an argument each costs more to write and to read:
--         version, lease ms,
--         scopes: count, and for each
--           name, requests/min, burst, tokens/min, burst, slots, quotas: count, and for each
--             period 1 … 5, requests, tokens, images, gpu ms, nano-dollars           ('' = not limited)
--         owners: count, and for each key, model, index of the scope of each kind (4 numbers, 0 = none)
--         calls: count, and for each
--           ticket, index of its owner, parts (bits: 1 slot, 2 rate, 4 quota), input tokens, output tokens, images,
--           gpu ms, nano-dollars, 1 to resume the ticket if it is there (its amounts count then, not these)
--
-- Returns { -1 } when the version is not the tenant's: the limits are stale; nothing was done. Else
--   { now ms,
--     for each call: 0 admitted, or kind of scope * 100 + what refused (1 requests, 2 tokens, 3 slots,
--                    10 * period + dimension for a quota); and the ms to wait, -1 where nobody can tell
--     for each scope: requests left, ms until full, tokens left, ms until full, slots taken, and for each of its
--                    quotas the five sums used; -1 for a bucket that there is not }

local batch = cjson.decode(ARGV[1])
if batch[1] ~= tonumber(meta[1] or 0) then return { -1 } end
local lease_ms = batch[2]

-- The bucket as it is now, at the rate of today: a new rate keeps what was in it. It is written even where all calls
-- are refused, or what comes in until one is admitted would come at the old rate.
local function adopt(bucket, rate_text, burst_text)
  if rate_text == '' then return nil end
  local pace = rate_text .. ' ' .. burst_text
  if bucket and bucket.pace == pace then
    -- A clock that was far ahead must not leave a debt that no call has made.
    bucket.zero = math.min(bucket.zero, bucket_now + bucket.burst / bucket.rate * 60000)
    return bucket
  end
  local rate, burst = tonumber(rate_text), tonumber(burst_text)
  local held = burst
  if bucket then
    held = math.max(-burst, math.min(bucket.burst, burst, (bucket_now - bucket.zero) / 60000 * bucket.rate))
  end
  local zero = bucket_now - held / rate * 60000
  return { pace = pace, rate = rate, burst = burst, zero = zero, adopted = true, changed = bucket ~= nil }
end

local function held_in(bucket)
  return math.min(bucket.burst, (bucket_now - bucket.zero) / 60000 * bucket.rate)
end

-- How long until a bucket holds so much. What is nearer than the clock can tell, and may be no more than rounding,
-- is there: else the last of a burst would be told to come back after 1 ms.
local NEAR_MS = 0.25
local function missing_ms(bucket, needed)
  local ms = (needed - held_in(bucket)) / bucket.rate * 60000
  return ms > NEAR_MS and ms or 0
end

local at = 3
local scopes = {}
for index = 1, batch[3] do
  local one = account(batch[at + 1])
  one.requests = adopt(one.requests, batch[at + 2], batch[at + 3])
  one.tokens = adopt(one.tokens, batch[at + 4], batch[at + 5])
  local scope = {
    account = one, requests = one.requests, tokens = one.tokens, slots_max = tonumber(batch[at + 6]), quotas = {},
  }
  local quotas = batch[at + 7]
  at = at + 7
  for quota_index = 1, quotas do
    local period = batch[at + 1]
    local used = current_quota(one, period)
    local bounds = {}
    for dimension = 1, 5 do
      local max = tonumber(batch[at + 1 + dimension])
      if max then bounds[#bounds + 1] = { dimension = dimension, max = max } end
    end
    scope.quotas[quota_index] = { period = period, used = used, bounds = bounds }
    at = at + 6
  end
  scopes[index] = scope
end

local function period_end_ms(period)
  local lengths = { 60000, 3600000, 86400000 }
  if lengths[period] then return lengths[period] - now % lengths[period] end
  if period == 5 then return -1 end
  local _, _, day = civil(now)
  local ms = 86400000 - now % 86400000
  local month = period_at(4, now)
  while period_at(4, now + ms) == month do ms = ms + 86400000 end
  return ms
end

local function refusing_quota(scope, amounts)
  for _, quota in ipairs(scope.quotas) do
    for _, bound in ipairs(quota.bounds) do
      local dimension = bound.dimension
      local used, amount = quota.used[dimension], amounts[dimension]
      -- A call without tokens or images needs none. Money and GPU time of a first call cannot be foreseen, so
      -- these refuse once they are spent.
      if (used + amount > bound.max or used >= bound.max) and (amount > 0 or dimension >= 4) then
        return 10 * quota.period + dimension, period_end_ms(quota.period)
      end
    end
  end
end

-- Nil when it may run. A spent quota comes first, because waiting does not help; else what refuses for the longest time.
local function refusal_of(call)
  local reason, wait
  for _, place in ipairs(call.owner.places) do
    local kind, scope = place.kind, place.scope
    local wants = call.wants and call.wants[kind] or call
    if wants.quota then
      local code, ms = refusing_quota(scope, call.amounts)
      if code then return kind * 100 + code, ms end
    end
    local code, ms = 1, 0
    if wants.requests and scope.requests then ms = missing_ms(scope.requests, 1) end
    if wants.tokens and scope.tokens and call.amounts[2] > 0 then
      local token_ms = missing_ms(scope.tokens, math.min(call.amounts[2], scope.tokens.burst))
      if token_ms > ms then code, ms = 2, token_ms end
    end
    if ms > 0 and ms > (wait or -1) then reason, wait = kind * 100 + code, ms end
    if not reason and wants.slot and scope.slots_max and scope.account.slots >= scope.slots_max then
      reason, wait = kind * 100 + 3, -1
    end
  end
  return reason, wait
end

-- What is taken in a scope, as bits.
local function take_in(scope, wants, amounts)
  local mask = 0
  if wants.requests and scope.requests then
    charge_bucket(scope.requests, 1)
    mask = mask + REQUESTS
  end
  if wants.tokens and scope.tokens then
    charge_bucket(scope.tokens, amounts[2])
    mask = mask + TOKENS
  end
  if wants.slot and scope.slots_max then
    move_slots(scope.account, 1)
    mask = mask + SLOT
  end
  if wants.quota then
    for _, quota in ipairs(scope.quotas) do
      local used = quota.used
      for dimension = 1, 5 do used[dimension] = used[dimension] + amounts[dimension] end
      used.changed = true
      mask = mask + 4 * 2 ^ quota.period
    end
  end
  return mask
end

local function take(call)
  local masks = { 0, 0, 0, 0 }
  for _, place in ipairs(call.owner.places) do masks[place.kind] = take_in(place.scope, call, call.amounts) end
  return string.format(
    '%s %s %.0f %d %d %d %d %.0f %.0f %.0f %.0f %.0f',
    (call.slot or call.requests) and 'o' or 'r', call.owner.name, now, masks[1], masks[2], masks[3], masks[4],
    batch[call.at + 4], batch[call.at + 5], batch[call.at + 6], batch[call.at + 7], batch[call.at + 8]
  )
end

-- Has the call go on with what its ticket holds. Of one that ran out the slot is free again.
local function resume(call, text)
  local before = read_ticket(text)
  if before.state == 'c' or before.owner ~= call.owner.name then return end
  call.before, call.held, call.wants = before, {}, {}
  call.amounts = { 1, before.input + before.output, before.images, before.gpu, before.cost }
  local kind = 0
  for text in string.gmatch(before.masks, '%S+') do
    kind = kind + 1
    local mask = tonumber(text)
    if before.state == 'x' and has(mask, SLOT) then mask = mask - SLOT end
    call.held[kind] = mask
    call.wants[kind] = {
      slot = call.slot and not has(mask, SLOT), requests = call.requests and not has(mask, REQUESTS),
      tokens = call.tokens and not has(mask, TOKENS), quota = call.quota and mask < 8,
    }
  end
end

local function state_after(call)
  local state = call.before.state
  if state == 'r' and (call.slot or call.requests) then return 'o' end
  return state == 'x' and 'b' or state
end

-- The ticket with what it takes more, as of its first admission.
local function take_more(call)
  local masks, before = call.held, call.before
  for _, place in ipairs(call.owner.places) do
    local kind = place.kind
    masks[kind] = masks[kind] + take_in(place.scope, call.wants[kind], call.amounts)
  end
  return ticket_text(state_after(call), before, table.concat(masks, ' '))
end

local owners = {}
local owners_count = batch[at + 1]
at = at + 1
for index = 1, owners_count do
  local places = {}
  for kind = 1, 4 do
    local scope = scopes[batch[at + 2 + kind]]
    if scope then places[#places + 1] = { kind = kind, scope = scope } end
  end
  owners[index] = { name = batch[at + 1] .. ' ' .. batch[at + 2], places = places }
  at = at + 6
end

local calls, ids = {}, {}
local calls_count = batch[at + 1]
at = at + 1
for index = 1, calls_count do
  local parts = batch[at + 3]
  calls[index] = {
    id = batch[at + 1], owner = owners[batch[at + 2]], at = at,
    slot = has(parts, 1), requests = has(parts, 2), tokens = has(parts, 2), quota = has(parts, 4),
    amounts = {
      1, batch[at + 4] + batch[at + 5],
      batch[at + 6], batch[at + 7], batch[at + 8],
    },
    resumes = batch[at + 9] == 1,
  }
  ids[index] = batch[at + 1]
  at = at + 9
end

-- Slots that look taken may be those of a replica that has died.
local function free_slots_if_full()
  for _, scope in ipairs(scopes) do
    if scope.slots_max and scope.account.slots >= scope.slots_max then
      expire(100)
      return
    end
  end
end
free_slots_if_full()

local reply = { now }
local tickets, leases, taken = {}, {}, {}
local lease_end = string.format('%.0f', now + lease_ms)
local known = redis.call('HMGET', TICKETS, unpack(ids))
for index, call in ipairs(calls) do
  local reason, wait
  if call.resumes and known[index] and not taken[call.id] then resume(call, known[index]) end
  if call.before or not (known[index] or taken[call.id]) then
    reason, wait = refusal_of(call)
    if not reason then
      taken[call.id] = true
      tickets[#tickets + 1], tickets[#tickets + 2] = call.id, call.before and take_more(call) or take(call)
      leases[#leases + 1], leases[#leases + 2] = lease_end, call.id
    end
  end
  reply[#reply + 1] = reason or 0
  reply[#reply + 1] = math.ceil((wait or 0) - NEAR_MS)
end

for _, scope in ipairs(scopes) do
  for _, bucket in ipairs({ scope.requests or false, scope.tokens or false }) do
    if bucket then
      local held = held_in(bucket)
      reply[#reply + 1] = math.max(0, math.floor(held + 1e-3))
      reply[#reply + 1] = math.ceil((bucket.burst - held) / bucket.rate * 60000)
    else
      reply[#reply + 1], reply[#reply + 2] = -1, 0
    end
  end
  reply[#reply + 1] = scope.account.slots
  for _, quota in ipairs(scope.quotas) do
    for dimension = 1, 5 do reply[#reply + 1] = quota.used[dimension] end
  end
end

if #tickets > 0 then
  redis.call('HSET', TICKETS, unpack(tickets))
  redis.call('ZADD', LEASES, unpack(leases))
  keep_clock()
end
keep_accounts()
keep_books()
return reply
