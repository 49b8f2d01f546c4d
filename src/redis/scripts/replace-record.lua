-- Replaces a record (of a key or a tenant) that nobody has changed since it was read.
--
-- KEYS[1] record           string
-- KEYS[2] meta of tenant   hash: its version grows, so that nobody goes on by the limits of before
-- ARGV[1] revision that was read
-- ARGV[2] new record, JSON
-- ARGV[3] channel of invalidations
-- ARGV[4] invalidation, JSON
--
-- Returns 1: replaced; 0: somebody else was first, or it is gone, and nothing was written.

local current = redis.call('GET', KEYS[1])
if not current or cjson.decode(current).revision ~= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'version', 1)
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
