#!lua flags=allow-oom
-- Closes tickets with what their calls have really cost: puts the difference to the reservation right in buckets
-- and quotas, frees the slots, and writes the books.
--
--   ticket     does
--   absent     books all of it, touches no bucket and leaves a marker: the call was admitted without Redis, or its
--              admission was lost in a failover, or has got no reply and may yet run; nothing where another may
--              have closed it before
--   open       books real - reserved, frees the slots; a void that another may give as well leaves a marker, because
--              an attempt of the same job may yet come with what it has asked for
--   expired    the same, less what was booked as lost when its lease ran out
--   closed     nothing
--
-- A closed ticket is gone, or each would cost 160 bytes for as long as a replay may come. So batches are numbered
-- by each replica, and a number that has been applied does nothing.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] a JSON array:
--         replica, number of the batch, how many calls the tenant's stream keeps, how long a marker stays in ms,
--         owners: count, and for each key, model, route, 1 if another may close the same ticket
--         tickets: count, and for each
--           ticket, index of its owner, requests, input tokens, output tokens, images, gpu ms, nano-dollars, cached
--           tokens, HTTP status (0 = void: as if the ticket had never been), duration in ms, request id
--
-- Returns { -1 } for a batch that was applied before; else for each ticket the state that it was found in:
--   0 absent, 1 open, 2 expired, 3 closed

local batch = cjson.decode(ARGV[1])
local last = root .. ':settled:' .. batch[1]
if batch[2] <= tonumber(redis.call('GET', last) or 0) then return { -1 } end

local LAST_KEPT_MS = 86400000
local OWNER_WIDTH, WIDTH = 4, 12
local CLOSED = { state = 'c' }

-- Only where the period is still that of the admission.
local function charge_quotas(scope, ticket, deltas)
  for _, period in ipairs(scope.periods) do
    local quota = scope.account.quotas[period]
    if quota and quota.period == period_at(period, ticket.at) then
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
  for _, scope in ipairs({ 'tenant', 'key:' .. call.owner.key }) do
    local one = account(scope)
    for period in pairs(one.quotas) do
      local quota = current_quota(one, period)
      for dimension = 1, 5 do quota[dimension] = quota[dimension] + call.amounts[dimension] end
      quota.changed = true
    end
  end
  book(call.owner.name, now, call.sums)
end

local function settle_taken(call, ticket)
  local amounts = call.amounts
  local deltas = {
    amounts[1] - 1, amounts[2] - ticket.input - ticket.output, amounts[3] - ticket.images,
    amounts[4] - ticket.gpu, amounts[5] - ticket.cost,
  }
  for _, scope in ipairs(touched_by(ticket)) do
    local one = scope.account
    if scope.slot and ticket.state ~= 'x' then move_slots(one, -1) end
    if scope.tokens and one.tokens then charge_bucket(one.tokens, deltas[2]) end
    if scope.requests and one.requests and call.void then charge_bucket(one.requests, -1) end
    charge_quotas(scope, ticket, deltas)
  end
  if not call.void then book(ticket.owner, ticket.at, call.sums) end
  if ticket.state ~= 'o' and ticket.state ~= 'r' then
    book(ticket.owner, ticket.at, {
      c = -1, l = -1, i = -ticket.input, o = -ticket.output, p = -ticket.images, g = -ticket.gpu, n = -ticket.cost,
    })
  end
end

local owners = {}
local at = 5
for index = 1, batch[5] do
  local key, model = batch[at + 1], batch[at + 2]
  owners[index] = {
    key = key, model = model, route = batch[at + 3], name = key .. ' ' .. model, shared = batch[at + 4] == 1,
  }
  at = at + OWNER_WIDTH
end

local calls, ids = {}, {}
at = at + 1
for index = 1, batch[at] do
  local input, output, images = batch[at + 4], batch[at + 5], batch[at + 6]
  local gpu, cost, status = batch[at + 7], batch[at + 8], batch[at + 10]
  calls[index] = {
    id = batch[at + 1], owner = owners[batch[at + 2]], void = status == 0, at = at,
    amounts = { batch[at + 3], input + output, images, gpu, cost },
    sums = {
      c = 1, e = status >= 400 and 1 or 0, i = input, o = output, h = batch[at + 9], p = images, g = gpu,
      n = cost, d = batch[at + 11],
    },
  }
  ids[index] = batch[at + 1]
  at = at + WIDTH
end

local reply, closed, markers, marked, seen = {}, {}, {}, {}, {}
local function leave_marker(id)
  markers[#markers + 1], markers[#markers + 2] = id, 'c'
  marked[#marked + 1], marked[#marked + 2] = string.format('%.0f', now + batch[4]), id
end

local texts = redis.call('HMGET', TICKETS, unpack(ids))
for index, call in ipairs(calls) do
  local ticket = seen[call.id] or read_ticket(texts[index])
  seen[call.id] = CLOSED
  if not ticket and call.owner.shared and not call.void then
    reply[index] = 3
  elseif not ticket then
    settle_absent(call)
    leave_marker(call.id)
    reply[index] = 0
  elseif ticket.state == 'c' then
    reply[index] = 3
  else
    settle_taken(call, ticket)
    if call.void and call.owner.shared then
      leave_marker(call.id)
    else
      closed[#closed + 1] = call.id
    end
    reply[index] = ticket.state == 'x' and 2 or 1
  end
end

redis.call('SET', last, batch[2], 'PX', LAST_KEPT_MS)
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
  if batch[3] ~= 0 and not call.void and reply[index] ~= 3 then
    local from, owner = call.at, call.owner
    redis.call(
      'XADD', root .. ':calls', 'MAXLEN', '~', batch[3], '*',
      'id', batch[from + 12], 'key', owner.key, 'route', owner.route, 'model', owner.model, 'status', batch[from + 10],
      'input', batch[from + 4], 'output', batch[from + 5], 'cached', batch[from + 9], 'images', batch[from + 6],
      'gpu_ms', batch[from + 7], 'ms', batch[from + 11], 'nano_usd', batch[from + 8]
    )
  end
end
return reply
