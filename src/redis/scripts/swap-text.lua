-- Writes a string, if it is still what was read.
--
-- KEYS[1] string
-- ARGV[1] what was read; '' where there was nothing
-- ARGV[2] what it shall be
--
-- Returns 1: written; 0: somebody else was first, and nothing was written.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
