-- Deletes a string, if it is still what was read.
--
-- KEYS[1] string
-- ARGV[1] what was read
--
-- Returns 1: deleted; 0: it is another one by now, or gone.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
