-- Writes a new key, when it names its tenant for the first time the tenant, and what the key has used before.
--
-- KEYS[1] key record       string   all keys in one slot
-- KEYS[2] tenant record    string
-- KEYS[3] keys of tenant   sorted set
-- KEYS[4] account of key   hash
-- ARGV[1] key record, JSON
-- ARGV[2] tenant record, JSON, used if there is none
-- ARGV[3] key id
-- ARGV[4] creation, milliseconds
-- ARGV[5] channel of invalidations
-- ARGV[6] invalidation, JSON
-- ARGV[7] used so far in all, as the quota of the total stands in an account (ticket.lua); '': nothing
--
-- Returns 1: written; 0: the id is taken and nothing was written.

if redis.call('SET', KEYS[1], ARGV[1], 'NX') == false then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'NX')
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[4], '5', ARGV[7])
end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
