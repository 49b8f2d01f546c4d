#!lua flags=allow-oom
-- Closes tickets with what their calls have really cost: puts the difference to the reservation right in buckets
-- and quotas, frees the slots, and writes the books.
--
--   ticket     does
--   absent     books all of it, touches no bucket and leaves a marker: the call was admitted without Redis, or its
--              admission was lost in a failover, or has got no reply and may yet run
--   open       books real - reserved, frees the slots
--   expired    the same, less what was booked as lost when its lease ran out
--   closed     nothing
--
-- A closed ticket is gone, or each would cost 160 bytes for as long as a replay may come. So batches are numbered
-- by each replica, and a number that has been applied does nothing.
--
-- KEYS[1] root of the tenant's keys
-- ARGV    replica, number of the batch, how many calls the tenant's stream keeps, how long a marker stays in ms,
--         tickets: count, and for each
--           ticket, key, model, void (1: as if it had never been), requests, input tokens, output tokens, images,
--           gpu ms, nano-dollars, cached tokens, HTTP status, duration in ms, route, request id
--
-- Returns { -1 } for a batch that was applied before; else for each ticket the state that it was found in:
--   0 absent, 1 open, 2 expired, 3 closed

local last = root .. ':settled:' .. ARGV[1]
if tonumber(ARGV[2]) <= tonumber(redis.call('GET', last) or 0) then return { -1 } end

local LAST_KEPT_MS = 86400000
local WIDTH = 15
local CLOSED = { state = 'c' }
local count = tonumber(ARGV[5])

local function charge_quotas(one, mask, ticket, deltas)
  for period = 1, 5 do
    local quota = one.quotas[period]
    if quota and has(mask, 4 * 2 ^ period) and quota.period == period_at(period, ticket.at) then
      for dimension = 1, 5 do
        quota[dimension] = math.max(0, quota[dimension] + deltas[dimension])
      end
      quota.changed = true
    end
  end
end

-- Nobody knows what limits such a call had: the quotas that there are count it, in the period of today.
local function settle_absent(call)
  if call.void then return end
  for _, scope in ipairs({ 'tenant', 'key:' .. call.key }) do
    local one = account(scope)
    for period in pairs(one.quotas) do
      local quota = current_quota(one, period)
      for dimension = 1, 5 do quota[dimension] = quota[dimension] + call.amounts[dimension] end
      quota.changed = true
    end
  end
  book(call.key, call.model, now, call.sums)
end

local function settle_taken(call, ticket)
  local was_booked = ticket.state ~= 'o'
  local reserved = { 1, ticket.input + ticket.output, ticket.images, ticket.gpu, ticket.cost }
  local deltas = {}
  for dimension = 1, 5 do deltas[dimension] = call.amounts[dimension] - reserved[dimension] end
  each_scope(ticket, function(one, mask)
    if has(mask, SLOT) and ticket.state ~= 'x' then move_slots(one, -1) end
    if has(mask, TOKENS) and one.tokens then charge_bucket(one.tokens, deltas[2]) end
    if has(mask, REQUESTS) and one.requests and call.void then charge_bucket(one.requests, -1) end
    charge_quotas(one, mask, ticket, deltas)
  end)
  if not call.void then book(ticket.key, ticket.model, ticket.at, call.sums) end
  if was_booked then
    book(ticket.key, ticket.model, ticket.at, {
      c = -1, l = -1, i = -ticket.input, o = -ticket.output, p = -ticket.images, g = -ticket.gpu, n = -ticket.cost,
    })
  end
end

local calls, ids = {}, {}
for index = 1, count do
  local at = 5 + (index - 1) * WIDTH
  local function number(offset)
    return tonumber(ARGV[at + offset])
  end
  local input, output, void = number(6), number(7), ARGV[at + 4] == '1'
  calls[index] = {
    id = ARGV[at + 1], key = ARGV[at + 2], model = ARGV[at + 3], void = void,
    amounts = { number(5), input + output, number(8), number(9), number(10) },
    sums = {
      c = 1, e = number(12) >= 400 and 1 or 0, i = input, o = output, h = number(11), p = number(8), g = number(9), n = number(10),
      d = number(13),
    },
    at = at,
  }
  ids[index] = ARGV[at + 1]
end

local reply, closed, markers, marked, seen = {}, {}, {}, {}, {}
local texts = redis.call('HMGET', TICKETS, unpack(ids))
for index, call in ipairs(calls) do
  local ticket = seen[call.id] or read_ticket(texts[index])
  seen[call.id] = CLOSED
  if not ticket then
    settle_absent(call)
    markers[#markers + 1], markers[#markers + 2] = call.id, 'c'
    marked[#marked + 1], marked[#marked + 2] = string.format('%.0f', now + tonumber(ARGV[4])), call.id
    reply[index] = 0
  elseif ticket.state == 'c' then
    reply[index] = 3
  else
    settle_taken(call, ticket)
    closed[#closed + 1] = call.id
    reply[index] = ticket.state == 'x' and 2 or 1
  end
end

redis.call('SET', last, ARGV[2], 'PX', LAST_KEPT_MS)
if #closed > 0 then
  redis.call('HDEL', TICKETS, unpack(closed))
  redis.call('ZREM', LEASES, unpack(closed))
end
if #markers > 0 then
  redis.call('HSET', TICKETS, unpack(markers))
  redis.call('ZADD', LEASES, unpack(marked))
end
keep_accounts()
keep_books()
keep_clock()
for index, call in ipairs(calls) do
  if ARGV[3] ~= '0' and not call.void and reply[index] ~= 3 then
    local at = call.at
    redis.call(
      'XADD', root .. ':calls', 'MAXLEN', '~', ARGV[3], '*',
      'id', ARGV[at + 15], 'key', call.key, 'route', ARGV[at + 14], 'model', call.model, 'status', ARGV[at + 12],
      'input', ARGV[at + 6], 'output', ARGV[at + 7], 'cached', ARGV[at + 11], 'images', ARGV[at + 8],
      'gpu_ms', ARGV[at + 9], 'ms', ARGV[at + 13], 'nano_usd', ARGV[at + 10]
    )
  end
end
return reply
