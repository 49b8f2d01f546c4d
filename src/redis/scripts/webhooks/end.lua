#!lua flags=allow-oom
-- What came of a try. Only the newest try of an event may say so, and only once.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 event, 2 number of the try, 3 places of an endpoint
--         4 delivered, retry (after 5, ms; with 6 = 1 nothing goes to the endpoint until then), dead,
--           gone (dead, and the endpoint wants nothing more), returned (nothing was tried; waits again)
--         5 pause, 6 hold, 7 status of the answer ('' = none), 8 cause of a failure
--
-- Returns 1, or 0: the event or its endpoint is gone, or the try is not the newest one.

local id, outcome, key = ARGV[1], ARGV[4], event_key(ARGV[1])
local tenant, tries = unpack(redis.call('HMGET', key, 'tenant', 'tries'))
if not tenant or tries ~= ARGV[2] then return 0 end
local endpoint = endpoint_of(tenant)
if redis.call('ZREM', endpoint.handed, id) == 0 then return 0 end

if outcome == 'delivered' then
  endpoint.failures = 0
  redis.call('HSET', endpoint.key, 'failures', 0, 'delivered_ms', whole(now))
  redis.call('DEL', key)
elseif outcome == 'returned' then
  redis.call('HINCRBY', key, 'forgiven', 1)
  let_wait(endpoint, id, now)
else
  endpoint.failures = redis.call('HINCRBY', endpoint.key, 'failures', 1)
  redis.call('HSET', key, 'last_ms', whole(now), 'last_status', ARGV[7], 'last_cause', ARGV[8])
  if outcome == 'retry' then
    let_wait(endpoint, id, now + ARGV[5])
    if ARGV[6] == '1' then
      endpoint.held_until_ms = math.max(endpoint.held_until_ms, now + ARGV[5])
      redis.call('HSET', endpoint.key, 'held_until_ms', whole(endpoint.held_until_ms))
    end
  else
    bury(endpoint, id)
  end
  if outcome == 'gone' then
    endpoint.is_enabled = false
    redis.call('HSET', endpoint.key, 'status', 'disabled', 'because', 'gone')
    redis.call('HINCRBY', endpoint.key, 'revision', 1)
  end
end
place(endpoint, tonumber(ARGV[3]))
return 1
