-- All that an estimate of waiting times needs, as of one moment. Grows with the number of tenants that wait, not with
-- that of the jobs: a replica asks once a second at most, for all its callers together.
--
-- KEYS[1] root of the queue's keys
-- ARGV    line
--
-- Returns { now ms, jobs waiting, created ms of the oldest (0 = none), jobs handed over, their cost, virtual time,
--           cost that ended, as a fading sum of now, its age ms,
--           tenant, tag, parked until ms (0 = not), jobs waiting, their cost, their span, … }

local line = line_of(ARGV[1])
local oldest = redis.call('ZRANGE', line.queued, 0, 0, 'WITHSCORES')
meter(line, 0)
local reply = {
  now, redis.call('ZCARD', line.queued), oldest[2] or '0', redis.call('ZCARD', line.handed), whole(line.handed_cost),
  precise(line.virtual), precise(line.drained), whole(now - line.drained_since),
}
local flows = redis.call('HGETALL', line.flows)
for index = 1, #flows, 2 do
  local tenant = flows[index]
  local jobs, cost, span = string.match(flows[index + 1], '^(%S+) (%S+) (%S+)$')
  local parked = redis.call('ZSCORE', line.parked, tenant) or '0'
  for _, one in ipairs({ tenant, precise(tag_of(line, tenant)), parked, jobs, cost, span }) do
    reply[#reply + 1] = one
  end
end
return reply
