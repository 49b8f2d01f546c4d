#!lua
-- As finish.lua, for an attempt that got a small answer whole: stores it in the same step and takes out the request,
-- which nobody will run any more. Not when Redis is full: an answer would be what it has no room for.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 to 7 as finish.lua, 8 lifetime of the answer, ms, 9 its one chunk, 10 `about` it (redis/chunked-body.ts)
--
-- Returns as finish.lua. Where the end of this attempt does not count, nothing is stored and nothing taken out.

return finish(function(job)
  local result = root .. ':result:' .. job.id .. ':' .. ARGV[2]
  redis.call('DEL', result)
  redis.call('HSET', result, '0', ARGV[9], 'about', ARGV[10])
  redis.call('PEXPIREAT', result, whole(now + ARGV[8]))
  redis.call('UNLINK', root .. ':payload:' .. job.id)
end)
