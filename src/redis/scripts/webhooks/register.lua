-- Writes the endpoint of a tenant over the revision that was read, 0 for none. It begins afresh: nothing holds it.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 tenant, 2 revision that was read, 3 places of an endpoint, 4 status, 5 because, 6 sealed address and secrets
--
-- Returns 1, or 0: somebody else has written meanwhile.

local endpoint = endpoint_of(ARGV[1])
if (redis.call('HGET', endpoint.key, 'revision') or '0') ~= ARGV[2] then return 0 end
redis.call(
  'HSET', endpoint.key, 'revision', whole(ARGV[2] + 1), 'status', ARGV[4], 'because', ARGV[5], 'sealed', ARGV[6],
  'failures', 0, 'held_until_ms', 0
)
if ARGV[2] == '0' then redis.call('HSET', endpoint.key, 'created_ms', whole(now)) end
place(endpoint_of(ARGV[1]), tonumber(ARGV[3]))
return 1
