-- Writes the record of an admin, if nobody has changed it since it was read.
--
-- KEYS[1] admins   hash, id → record as JSON
-- ARGV[1] id
-- ARGV[2] revision that was read; 0: there was none
-- ARGV[3] record, JSON
-- ARGV[4] how many records there may be
--
-- Returns 1: written; 0: somebody else was first; -1: there are as many as may be. Then nothing was written.

local current = redis.call('HGET', KEYS[1], ARGV[1])
local revision = 0
if current then
  revision = cjson.decode(current).revision
elseif redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then
  return -1
end
if revision ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
