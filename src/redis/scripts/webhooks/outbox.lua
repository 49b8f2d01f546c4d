-- What the scripts of webhooks share. KEYS[1] is the root of the queue's keys; all others are derived from it and carry
-- its hash tag.
--
-- An event is posted in the very step in which a job ends (`post_event` in jobs/queue.lua), so none is lost and none is
-- made up. It waits in the outbox of its tenant, is handed to a worker for one try, and then it is gone, waits again,
-- or is dead, which an operator sees and can undo. Each tenant has one endpoint, and each endpoint a few places: a slow
-- one keeps no other waiting. One that keeps failing has a single place until a try succeeds.
--
--   :webhook:<tenant>        hash  the endpoint: status (enabled, disabled), because, revision, sealed, created_ms,
--                                  failures (in a row), held_until_ms, delivered_ms, dropped (events, outbox full)
--   :event:<id>              hash  tenant, job, type, created_ms, tries, forgiven (of these, when it was replayed or
--                                  taken back), last_ms, last_status, last_cause, died_ms; expires
--   :outbox:<tenant>         zset  event -> when its next try is due, ms; expires
--   :outbox-handed:<tenant>  zset  event -> when it was handed to a worker, ms
--   :outbox-ready            zset  tenant -> when its endpoint has to be looked at again, ms
--   :outbox-dead:<tenant>    zset  event -> when it died, ms; bounded
--   :outbox-dead             zset  the same of all tenants

local root = KEYS[1]
local READY, DEAD = root .. ':outbox-ready', root .. ':outbox-dead'
-- A worker that has neither ended nor renewed its try for so long is dead, and BullMQ has lost the try too.
local LOST_MS = 120000
local KEPT_MS = 30 * 86400000
local DEAD_MAX = 1000
local FAILURES_TRUSTED = 3

local now
do
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number) return string.format('%.0f', number + 0) end
local function event_key(id) return root .. ':event:' .. id end

local function endpoint_of(tenant)
  local endpoint = {
    tenant = tenant, key = root .. ':webhook:' .. tenant, waiting = root .. ':outbox:' .. tenant,
    handed = root .. ':outbox-handed:' .. tenant, dead = root .. ':outbox-dead:' .. tenant,
  }
  local fields = redis.call('HMGET', endpoint.key, 'status', 'held_until_ms', 'failures')
  endpoint.exists, endpoint.is_enabled = fields[1] and true, fields[1] == 'enabled'
  endpoint.held_until_ms, endpoint.failures = tonumber(fields[2] or 0), tonumber(fields[3] or 0)
  return endpoint
end

local function room_of(endpoint, places)
  if endpoint.held_until_ms > now then return 0 end
  if endpoint.failures >= FAILURES_TRUSTED then places = 1 end
  return places - redis.call('ZCARD', endpoint.handed)
end

local function first_of(set)
  return tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2] or math.huge)
end

-- Writes when the endpoint has to be looked at again: when something is due and there is room for it, or when a worker
-- has to be given up. Those with much to do queue up behind the others again.
local function place(endpoint, places)
  local at = first_of(endpoint.handed) + LOST_MS
  if endpoint.held_until_ms > now or room_of(endpoint, places) > 0 then
    at = math.min(at, math.max(first_of(endpoint.waiting), endpoint.held_until_ms, now))
  end
  if endpoint.is_enabled and at < math.huge then
    redis.call('ZADD', READY, whole(at), endpoint.tenant)
  else
    redis.call('ZREM', READY, endpoint.tenant)
  end
end

local function let_wait(endpoint, id, due_ms)
  redis.call('ZADD', endpoint.waiting, whole(due_ms), id)
  redis.call('PEXPIREAT', endpoint.waiting, whole(now + KEPT_MS))
end

-- The oldest of a tenant with too many dead events go.
local function bury(endpoint, id)
  redis.call('HSET', event_key(id), 'died_ms', whole(now))
  redis.call('PEXPIREAT', event_key(id), whole(now + KEPT_MS))
  for _, set in ipairs({ endpoint.dead, DEAD }) do
    redis.call('ZREMRANGEBYSCORE', set, '-inf', whole(now - KEPT_MS))
    redis.call('ZADD', set, whole(now), id)
  end
  local over = redis.call('ZCARD', endpoint.dead) - DEAD_MAX
  if over <= 0 then return end
  for _, oldest in ipairs(redis.call('ZRANGE', endpoint.dead, 0, over - 1)) do
    redis.call('ZREM', endpoint.dead, oldest)
    redis.call('ZREM', DEAD, oldest)
    redis.call('DEL', event_key(oldest))
  end
end
