-- Keeps an answer of a tenant for equal requests. Where all its answers would be more than the bound, those that end
-- first go.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] digest of the request
-- ARGV[2] lifetime, ms
-- ARGV[3] bound of all answers of the tenant, bytes
-- ARGV[4] … ARGV[8] the answer
--
-- The entry: at (ms), and the answer. Returns 1: kept; 0: it does not fit, or not before more has been taken out
-- than one step may.

local index = open_index('answer')
local id, bytes, bytes_max = ARGV[1], #ARGV[8] + ENTRY_BYTES, tonumber(ARGV[3])
index.forget_ended()
if bytes > bytes_max then
  return 0
end
index.forget(id)
if not index.make_room(bytes, bytes_max) then
  return 0
end
redis.call('HSET', index.key(id), 'at', whole(now))
index.write_answer(id, 4)
index.note(id, bytes, now + tonumber(ARGV[2]))
return 1
