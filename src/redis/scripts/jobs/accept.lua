-- Takes a job in: record, idempotency entry and its place in the line in one step, or nothing at all.
--
-- Whoever has been answered 503 because Redis was slow must not find that the job runs nevertheless. So the caller
-- sends until when it will wait, on Redis' clock, and what runs later than that is refused.
--
-- The only script of jobs that Redis may refuse for want of memory: its first write is one that takes some.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 job, 2 tenant, 3 line, 4 the last moment, ms of Redis' clock
--         5 digest of the Idempotency-Key ('' = none), 6 digest of the body, 7 how long the entry stays, ms
--         8 most unfinished jobs of the tenant, 9 of their bytes, 10 most in all, 11 of their bytes
--         12 priority 0 … 9, 13 cost, 14 weight, 15 bytes, 16 it expires after, ms,
--         17 its record stays after its end, ms
--         18 it is held for a caller, who is thought to be gone after ms ('' = not held)
--         19 … further fields of the record: name, value, …
--
-- Returns { code, job, jobs of the tenant before it in this line }:
--   0 accepted, also when this very job was accepted before    3 the tenant has too much unfinished
--   1 that key and body have made `job` before                 4 all together have
--   2 that key has been used for another body                  5 too late

local SEQUENCES = 2 ^ 45
local id, tenant = ARGV[1], ARGV[2]
local bytes = tonumber(ARGV[15])

local function rank_of(job)
  return redis.call('ZRANK', job.waiting, job.id) or 0
end

local known = read_job(id)
if known then return { 0, id, rank_of(known) } end
if now > tonumber(ARGV[4]) then return { 5, '', 0 } end

local once = ARGV[5] ~= '' and root .. ':once:' .. tenant .. ':' .. ARGV[5]
local entry = once and redis.call('GET', once)
if entry then
  local first, body = string.match(entry, '^(%S+) (%S*)$')
  local job = read_job(first)
  if job then
    if body ~= ARGV[6] then return { 2, '', 0 } end
    return { 1, first, rank_of(job) }
  end
end

local jobs_of_tenant, bytes_of_tenant = string.match(redis.call('HGET', TENANTS, tenant) or '0 0', '^(%S+) (%S+)$')
if jobs_of_tenant + 1 > tonumber(ARGV[8]) or bytes_of_tenant + bytes > tonumber(ARGV[9]) then return { 3, '', 0 } end
local totals = redis.call('HMGET', META, 'jobs', 'bytes', 'sequence')
if (totals[1] or 0) + 1 > tonumber(ARGV[10]) or (totals[2] or 0) + bytes > tonumber(ARGV[11]) then
  return { 4, '', 0 }
end

local sequence = (totals[3] or 0) + 1
local cost = tonumber(ARGV[13])
local job = {
  id = id, key = root .. ':job:' .. id, tenant = tenant, line = ARGV[3], attempt = 0, bytes = bytes,
  waiting = root .. ':waiting:' .. tenant .. ':' .. ARGV[3], created_ms = now, cost = cost,
  span = cost / tonumber(ARGV[14]), place = (9 - tonumber(ARGV[12])) * SEQUENCES + sequence,
}
redis.call(
  'HSET', job.key, 'tenant', tenant, 'line', job.line, 'place', whole(job.place), 'cost', whole(cost),
  'span', precise(job.span), 'bytes', whole(bytes), 'created_ms', whole(now), 'priority', ARGV[12],
  'expires_ms', whole(now + ARGV[16]), 'kept_ms', ARGV[17], unpack(ARGV, 19)
)
redis.call('HSET', META, 'sequence', whole(sequence))
if once then
  redis.call('SET', once, id .. ' ' .. ARGV[6], 'PX', ARGV[7])
  redis.call('HSET', job.key, 'once', ARGV[5])
end
redis.call('ZADD', root .. ':of:' .. tenant, whole(now), id)
local due = now + ARGV[16]
if ARGV[18] ~= '' then
  local held_until = now + ARGV[18]
  redis.call('HSET', job.key, 'held_until_ms', whole(held_until))
  due = math.min(due, held_until)
end
redis.call('ZADD', DUE, whole(due), id)
redis.call('SADD', LINES, job.line)

-- With nothing waiting and nothing in hand a busy period begins: all that was owed in the last one is forgotten, and
-- its meter goes on from where it stood still.
local line = line_of(job.line)
if redis.call('EXISTS', line.queued, line.handed) == 0 then
  line.virtual, line.handed_cost = 0, 0
  redis.call('DEL', line.away)
  line.drained_since, line.drained_at = line.drained_since + math.max(0, now - line.drained_at), now
end
enter_waiting(line, job)
place_tenant(line, tenant, tag_of(line, tenant))
count_unfinished(job, 1)
set_status(job, 'queued')
keep_lines()
return { 0, id, rank_of(job) }
