-- What the ticket scripts share. KEYS[1] is the root of a tenant's keys, `{prefix}:1:{tenant}`; all others are
-- derived from it, because a ticket that runs out leads to accounts that no caller could have named. The hash
-- tag keeps them in one slot.
--
--   :meta                    hash    version (of the tenant's records), clock (ms)
--   :tickets                 hash    ticket id -> ticket, see `read_ticket`
--   :leases                  zset    ticket id -> when it runs out, or may be forgotten, ms
--   :account:<scope>         hash    one for each scope, see `account`
--   :usage:<day>:<key>:<model>, :usage:<month>:<key>:<model>, :usage:<day>:*:*
--                            hash    sums, see `book`
--   :usage-index:<month>     set     `<key> <model>` of the month's sums

local root = KEYS[1]
local TICKETS, LEASES, META = root .. ':tickets', root .. ':leases', root .. ':meta'

local EXPIRED_KEPT_MS = 86400000
local DAY_KEPT_S = 35 * 86400
local YEAR_KEPT_S = 400 * 86400
local CLOCK_BACK_MS_MAX = 60000
local PERIODS = { 'minute', 'hour', 'day', 'month', 'total' }

-- Bits of what a ticket has taken in a scope; the quota of period p is 4 * 2^p.
local SLOT, REQUESTS, TOKENS = 1, 2, 4
local function has(mask, bit)
  return mask % (bit + bit) >= bit
end

-- Redis' own clock. A new primary's may be behind: then time stands still until it has caught up. A step of more
-- than a minute is believed, or one wrong clock would stop everything for as long.
local meta = redis.call('HMGET', META, 'version', 'clock')
local now
do
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  local seen = tonumber(meta[2] or 0)
  if seen > now and seen - now <= CLOCK_BACK_MS_MAX then
    now = seen
  end
end
local function keep_clock()
  redis.call('HSET', META, 'clock', string.format('%.0f', now))
end

-- Year, month, day in UTC, by the proleptic Gregorian calendar counted in eras of 400 years from 1 March
-- (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
local function civil(ms)
  local days = math.floor(ms / 86400000) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor(
    (of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365
  )
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - math.floor((153 * shifted + 2) / 5) + 1
end

-- A number that names the period in which a moment lies.
local function period_at(period, ms)
  if period == 1 then return math.floor(ms / 60000) end
  if period == 2 then return math.floor(ms / 3600000) end
  if period == 3 then return math.floor(ms / 86400000) end
  if period == 5 then return 0 end
  local year, month = civil(ms)
  return year * 12 + month
end

-- An account: the buckets, slots and quotas of one scope. Fields:
--   r, t   zero of the bucket of requests, of tokens, in ms after `EPOCH_MS`
--   R, T   what it runs at: `<per minute> <burst>`
--   n      slots taken
--   1 … 5  quota of a period: `<period> <requests> <tokens> <images> <gpu ms> <nano-dollars>`, used or reserved
--
-- A bucket holds `(now - zero) * rate`, at most its burst: `zero` is when it was, or will be, empty. Taking moves
-- it later, giving back earlier, and nothing has to be filled. A `zero` in the future is debt. Counted from 2026 on,
-- because a double keeps 1/4096 ms of a time since 1970, and 700 calls that each lose that are a tenth of a ms.
local EPOCH_MS = 1767225600000
local bucket_now = now - EPOCH_MS
local FIELDS = { 'n', 'r', 'R', 't', 'T', '1', '2', '3', '4', '5' }
local accounts = {}

local function read_bucket(zero, pace)
  if not pace then return nil end
  local rate, burst = string.match(pace, '^(%S+) (%S+)$')
  return { pace = pace, rate = tonumber(rate), burst = tonumber(burst), zero = tonumber(zero) }
end

local function read_quota(text)
  if not text then return nil end
  local period, requests, tokens, images, gpu, cost =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {
    period = tonumber(period),
    tonumber(requests), tonumber(tokens), tonumber(images), tonumber(gpu), tonumber(cost),
  }
end

local function account(scope)
  local known = accounts[scope]
  if known then return known end
  local fields = redis.call('HMGET', root .. ':account:' .. scope, unpack(FIELDS))
  known = {
    slots = tonumber(fields[1] or 0),
    requests = read_bucket(fields[2], fields[3]),
    tokens = read_bucket(fields[4], fields[5]),
    quotas = {},
    set = {},
  }
  for period = 1, 5 do
    if fields[5 + period] then known.quotas[period] = read_quota(fields[5 + period]) end
  end
  accounts[scope] = known
  return known
end

-- The sums of the period in which we are, which begins with nothing.
local function current_quota(one, period)
  local current = period_at(period, now)
  local quota = one.quotas[period]
  if not quota or quota.period ~= current then
    quota = { 0, 0, 0, 0, 0, period = current }
    one.quotas[period] = quota
  end
  return quota
end

-- Writes what has changed. Numbers that are passed on as they are keep all their digits.
local function keep_accounts()
  for scope, one in pairs(accounts) do
    local set, length = one.set, 0
    if one.slots_changed then
      set[1], set[2], length = 'n', one.slots, 2
    end
    for field, bucket in pairs({ r = one.requests, t = one.tokens }) do
      if bucket.changed then
        set[length + 1], set[length + 2], length = field, bucket.zero, length + 2
        if bucket.adopted then
          set[length + 1], set[length + 2], length = string.upper(field), bucket.pace, length + 2
        end
      end
    end
    for period, quota in pairs(one.quotas) do
      if quota.changed then
        set[length + 1] = period
        set[length + 2] = string.format('%.0f %.0f %.0f %.0f %.0f %.0f', quota.period, unpack(quota))
        length = length + 2
      end
    end
    if length > 0 then redis.call('HSET', root .. ':account:' .. scope, unpack(set)) end
  end
end

local function move_slots(one, by)
  one.slots = math.max(0, one.slots + by)
  one.slots_changed = true
end

-- Takes `amount`, or gives back what is negative, never above full and never deeper in debt than one burst: what
-- exceeds that is forgiven here, in the bucket, and nowhere else.
local function charge_bucket(bucket, amount)
  local span = bucket.burst / bucket.rate * 60000
  local zero = math.max(bucket.zero, bucket_now - span) + amount / bucket.rate * 60000
  bucket.zero = math.max(math.min(zero, bucket_now + span), bucket_now - span)
  bucket.changed = true
end

-- A scope is named by its kind: 1 tenant, 2 key, 3 model of the tenant, 4 model of the key.
local function scope_name(kind, key, model)
  if kind == 1 then return 'tenant' end
  if kind == 2 then return 'key:' .. key end
  if kind == 3 then return 'model:' .. model end
  return 'key:' .. key .. ':model:' .. model
end

-- A ticket: `<state> <key> <model> <admitted ms> <mask of each kind of scope> <input> <output> <images> <gpu ms>
-- <nano-dollars>`. States: o open; r open, but it has never had more than its quota: its call has not run; b open, but
-- booked as lost once already; x expired, and booked as lost; c closed before it came into being: a marker of one
-- letter. `owner` is key and model.
local function read_ticket(text)
  if not text then return nil end
  if text == 'c' then return { state = 'c' } end
  local state, owner, at, masks, input, output, images, gpu, cost = string.match(
    text, '^(%S) (%S+ %S+) (%S+) (%S+ %S+ %S+ %S+) (%S+) (%S+) (%S+) (%S+) (%S+)$'
  )
  return {
    state = state, owner = owner, at = tonumber(at), masks = masks, rest = string.sub(text, 2),
    input = tonumber(input), output = tonumber(output), images = tonumber(images),
    gpu = tonumber(gpu), cost = tonumber(cost),
  }
end

-- The accounts that a ticket has touched, and what it has taken there. Most tickets of a batch are alike in that, so it
-- is worked out once for all of a key and model.
local touched = {}
local function touched_by(ticket)
  local alike = ticket.owner .. ' ' .. ticket.masks
  local list = touched[alike]
  if list then return list end
  list = {}
  local key, model = string.match(ticket.owner, '^(%S+) (%S+)$')
  local kind = 0
  for text in string.gmatch(ticket.masks, '%S+') do
    kind = kind + 1
    local mask = tonumber(text)
    if mask > 0 then
      local periods = {}
      for period = 1, 5 do
        if has(mask, 4 * 2 ^ period) then periods[#periods + 1] = period end
      end
      list[#list + 1] = {
        account = account(scope_name(kind, key, model)), periods = periods,
        slot = has(mask, SLOT), requests = has(mask, REQUESTS), tokens = has(mask, TOKENS),
      }
    end
  end
  touched[alike] = list
  return list
end

local function move_slots_of(ticket, by)
  for _, scope in ipairs(touched_by(ticket)) do
    if scope.slot then move_slots(scope.account, by) end
  end
end

-- What a call has reserved that has not run, where its period is that of now: no other is asked for any more.
local function give_quotas_back(ticket)
  local amounts = { 1, ticket.input + ticket.output, ticket.images, ticket.gpu, ticket.cost }
  for _, scope in ipairs(touched_by(ticket)) do
    for _, period in ipairs(scope.periods) do
      local quota, current = scope.account.quotas[period], period_at(period, now)
      if quota and quota.period == current and period_at(period, ticket.at) == current then
        for dimension = 1, 5 do
          local left = math.max(0, quota[dimension] - amounts[dimension])
          quota.changed = quota.changed or left ~= quota[dimension]
          quota[dimension] = left
        end
      end
    end
  end
end

-- Writes that a ticket is open, with these masks.
local function ticket_text(state, ticket, masks)
  return string.format(
    '%s %s %.0f %s %.0f %.0f %.0f %.0f %.0f', state, ticket.owner, ticket.at, masks,
    ticket.input, ticket.output, ticket.images, ticket.gpu, ticket.cost
  )
end

-- Sums to be added to the books, by day and owner, gathered so that a batch touches each hash once. Fields: c calls,
-- e errors, l lost (their holder died), i input, o output and h cached tokens, p images, g gpu ms, n nano-dollars,
-- d ms.
local books = {}

local function add_to(sums, more)
  for field, amount in pairs(more) do
    sums[field] = (sums[field] or 0) + amount
  end
end

local function book(owner, at, sums)
  local day = math.floor(at / 86400000)
  local owners = books[day]
  if not owners then
    owners = {}
    books[day] = owners
  end
  local book_of_owner = owners[owner]
  if not book_of_owner then
    book_of_owner = {}
    owners[owner] = book_of_owner
  end
  add_to(book_of_owner, sums)
end

-- Returns whether there was nothing yet.
local function add_to_usage(name, sums, kept_s)
  local hash = root .. ':usage:' .. name
  local is_new = redis.call('EXISTS', hash) == 0
  for field, amount in pairs(sums) do
    if amount ~= 0 then redis.call('HINCRBY', hash, field, string.format('%.0f', amount)) end
  end
  if is_new then redis.call('EXPIRE', hash, kept_s) end
  return is_new
end

local function keep_books()
  for day, owners in pairs(books) do
    local year, month, day_of_month = civil(day * 86400000)
    local of_month = string.format('%04d-%02d', year, month)
    local of_day = string.format('%s-%02d', of_month, day_of_month)
    local total = {}
    for owner, sums in pairs(owners) do
      local pair = string.gsub(owner, ' ', ':', 1)
      add_to_usage(of_day .. ':' .. pair, sums, DAY_KEPT_S)
      if add_to_usage(of_month .. ':' .. pair, sums, YEAR_KEPT_S) then
        local index = root .. ':usage-index:' .. of_month
        redis.call('SADD', index, owner)
        redis.call('EXPIRE', index, YEAR_KEPT_S)
      end
      add_to(total, sums)
    end
    add_to_usage(of_day .. ':*:*', total, YEAR_KEPT_S)
  end
end

-- Ends the leases that have run out, at most so many: slots are free again, and what was reserved stays charged
-- and is booked as lost. A call that has not run gets its quota back and is forgotten, as is what has been kept long
-- enough. Returns both counts.
local function expire(count_max)
  local ids = redis.call('ZRANGE', LEASES, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, count_max)
  if #ids == 0 then return 0, 0 end
  local texts = redis.call('HMGET', TICKETS, unpack(ids))
  local expired, forgotten = 0, {}
  for index, id in ipairs(ids) do
    local ticket = read_ticket(texts[index])
    if not ticket or ticket.state == 'c' or ticket.state == 'x' then
      forgotten[#forgotten + 1] = id
    elseif ticket.state == 'r' then
      give_quotas_back(ticket)
      forgotten[#forgotten + 1] = id
    else
      expired = expired + 1
      move_slots_of(ticket, -1)
      if ticket.state == 'o' then
        book(ticket.owner, ticket.at, {
          c = 1, l = 1, i = ticket.input, o = ticket.output, p = ticket.images, g = ticket.gpu, n = ticket.cost,
        })
      end
      redis.call('HSET', TICKETS, id, 'x' .. ticket.rest)
      redis.call('ZADD', LEASES, string.format('%.0f', now + EXPIRED_KEPT_MS), id)
    end
  end
  if #forgotten > 0 then
    redis.call('HDEL', TICKETS, unpack(forgotten))
    redis.call('ZREM', LEASES, unpack(forgotten))
  end
  if expired > 0 then keep_clock() end
  return expired, #forgotten
end
