#!lua flags=allow-oom
-- Gives events, dead or between two tries, all their tries again, the first of them now.
--
-- KEYS[1] root of the queue's keys
-- ARGV    places of an endpoint, then the events
--
-- Returns for each: 0 no such event, 1 it waits for its try, 2 a worker has it just now, 3 its tenant has no endpoint.

local codes = {}
for at = 2, #ARGV do
  local id, key = ARGV[at], event_key(ARGV[at])
  local tenant, tries = unpack(redis.call('HMGET', key, 'tenant', 'tries'))
  local endpoint = tenant and endpoint_of(tenant)
  local code = 1
  if not endpoint then
    code = 0
  elseif not endpoint.exists then
    code = 3
  elseif redis.call('ZSCORE', endpoint.handed, id) then
    code = 2
  else
    redis.call('ZREM', endpoint.dead, id)
    redis.call('ZREM', DEAD, id)
    redis.call('HSET', key, 'forgiven', tries)
    redis.call('HDEL', key, 'died_ms')
    redis.call('PEXPIREAT', key, whole(now + KEPT_MS))
    let_wait(endpoint, id, now)
    place(endpoint, tonumber(ARGV[1]))
  end
  codes[#codes + 1] = code
end
return codes
