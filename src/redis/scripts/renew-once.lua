#!lua flags=allow-oom
-- Extends the lease of a request that runs. One that has run out is taken again, if nobody else has begun meanwhile.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] digest of the Idempotency-Key, ARGV[2] digest of the request, ARGV[3] holder, ARGV[4] lease, ms
--
-- Returns 1: held; 0: it is somebody else's by now, or finished.

local index = open_index('once')
local key = index.key(ARGV[1])
local entry = redis.call('HMGET', key, 'holder', 'state')
if not entry[1] then
  redis.call('HSET', key, 'request', ARGV[2], 'holder', ARGV[3], 'at', whole(now), 'state', 'r')
elseif entry[1] ~= ARGV[3] or entry[2] ~= 'r' then
  return 0
end
index.note(ARGV[1], ENTRY_BYTES, now + tonumber(ARGV[4]))
return 1
