#!lua flags=allow-oom
-- Gives events that were put back from a backup their places again. What a worker had in hand when the copy was made is
-- due now; what was given up is dead as before.
--
-- KEYS[1] root of the queue's keys
-- ARGV    events …
--
-- Returns how many wait for their next try.

local waiting = 0
for _, id in ipairs(ARGV) do
  local tenant, died = unpack(redis.call('HMGET', event_key(id), 'tenant', 'died_ms'))
  local endpoint = tenant and endpoint_of(tenant)
  if endpoint and died then
    redis.call('ZADD', endpoint.dead, died, id)
    redis.call('ZADD', DEAD, died, id)
  elseif endpoint and not redis.call('ZSCORE', endpoint.handed, id) then
    waiting = waiting + 1
    if not redis.call('ZSCORE', endpoint.waiting, id) then let_wait(endpoint, id, now) end
    if endpoint.is_enabled then redis.call('ZADD', READY, 'LT', whole(now), tenant) end
  end
end
return waiting
