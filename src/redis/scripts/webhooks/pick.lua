#!lua flags=allow-oom
-- Hands out events whose time has come, a few of each endpoint.
--
-- KEYS[1] root of the queue's keys
-- ARGV    the most to hand out, places of an endpoint
--
-- Returns event, number of this try, …

local left, places = tonumber(ARGV[1]), tonumber(ARGV[2])
local picked = {}

local function take(endpoint, room)
  for _, id in ipairs(redis.call('ZRANGE', endpoint.waiting, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, room)) do
    redis.call('ZREM', endpoint.waiting, id)
    if redis.call('EXISTS', event_key(id)) == 1 then
      redis.call('ZADD', endpoint.handed, whole(now), id)
      picked[#picked + 1], picked[#picked + 2] = id, redis.call('HINCRBY', event_key(id), 'tries', 1)
      left = left - 1
    end
  end
end

for _, tenant in ipairs(redis.call('ZRANGE', READY, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, left)) do
  if left <= 0 then break end
  local endpoint = endpoint_of(tenant)
  local lost_before = whole(now - LOST_MS)
  for _, id in ipairs(redis.call('ZRANGE', endpoint.handed, '-inf', lost_before, 'BYSCORE', 'LIMIT', 0, 100)) do
    redis.call('ZREM', endpoint.handed, id)
    let_wait(endpoint, id, now)
  end
  local room = math.min(left, room_of(endpoint, places))
  if endpoint.is_enabled and room > 0 then take(endpoint, room) end
  place(endpoint, places)
end
return picked
