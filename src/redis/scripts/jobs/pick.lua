#!lua flags=allow-oom
-- Chooses the jobs of a line that run next, and puts them into the hands of the workers.
--
-- Start-time fair queueing: the tenant whose next job begins earliest in virtual time; the line's virtual time becomes
-- that; the tenant's next one begins by the span of this one later. src/jobs/order.md has the reasons and the bounds.
--
-- KEYS[1] root of the queue's keys
-- ARGV    line, how many at most
--
-- Returns { job, tenant, job, tenant, … } in the order in which they are to begin; none while an operator has stopped
-- the queue.

if redis.call('EXISTS', root .. ':drained') == 1 then return {} end

-- Each step does a bounded amount of other people's work: tenants whose time is over, jobs that came to nothing.
local OTHERS_MAX = 100
local line = line_of(ARGV[1])

local function unpark()
  local ended = redis.call('ZRANGE', line.parked, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, OTHERS_MAX)
  for _, tenant in ipairs(ended) do
    redis.call('ZREM', line.parked, tenant)
    place_tenant(line, tenant, tag_of(line, tenant))
  end
end

-- Somebody has taken the record away: that must not hold up the line.
local function drop(id, tenant)
  redis.call('ZREM', root .. ':waiting:' .. tenant .. ':' .. line.name, id)
  redis.call('ZREM', line.queued, id)
  place_tenant(line, tenant, tag_of(line, tenant))
end

local function hand(job, tag)
  line.virtual = math.max(line.virtual, tag)
  leave_waiting(line, job)
  redis.call('ZADD', line.handed, whole(now), job.id)
  line.handed_cost = line.handed_cost + job.cost
  place_tenant(line, job.tenant, tag + job.span)
end

unpark()
local picked, others = {}, 0
while #picked < 2 * tonumber(ARGV[2]) and others < OTHERS_MAX do
  local first = redis.call('ZRANGE', line.ready, 0, 0, 'WITHSCORES')
  if #first == 0 then break end
  local tenant, tag = first[1], tonumber(first[2])
  local id = redis.call('ZRANGE', root .. ':waiting:' .. tenant .. ':' .. line.name, 0, 0)[1]
  local job = read_job(id)
  if job and job.expires_ms > now then
    hand(job, tag)
    picked[#picked + 1], picked[#picked + 2] = id, tenant
  else
    others = others + 1
    if job then end_job(job, 'expired') else drop(id, tenant) end
  end
end
redis.call('ZREMRANGEBYSCORE', line.away, '-inf', precise(line.virtual))
keep_lines()
return picked
