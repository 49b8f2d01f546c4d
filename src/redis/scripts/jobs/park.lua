#!lua flags=allow-oom
-- Takes a tenant out of the order of a line for a while, because admission has refused it. The newest word counts.
-- Its jobs keep their places; for the time that it is parked it gets no credit.
--
-- KEYS[1] root of the queue's keys
-- ARGV    line, tenant, for how long, ms (0 = no longer)
--
-- Returns until when, ms of Redis' clock.

local line, tenant, until_ms = line_of(ARGV[1]), ARGV[2], now + tonumber(ARGV[3])
local tag = tag_of(line, tenant)
if until_ms > now then
  redis.call('ZADD', line.parked, whole(until_ms), tenant)
else
  redis.call('ZREM', line.parked, tenant)
end
place_tenant(line, tenant, tag)
keep_lines()
return until_ms
