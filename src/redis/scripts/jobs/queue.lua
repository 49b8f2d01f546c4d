-- What the scripts of jobs share. KEYS[1] is the root of the queue's keys; all others are derived from it and carry
-- its hash tag. jobs/order.md beside src/jobs says why the order is what it is.
--
-- Jobs wait in lines. A line is what one pool of GPU servers serves, so the jobs of a pool that is full or down hold
-- up no others. Within a line tenants take turns by virtual time; within a tenant the higher priority goes first, and
-- among equals the one that came first.
--
--   :job:<id>                hash    the record, see `read_job`
--   :of:<tenant>             zset    job -> created ms: all whose records are kept
--   :once:<tenant>:<digest>  string  `<job> <digest of the body>`, by Idempotency-Key; expires
--   :tenants                 hash    tenant -> `<unfinished jobs> <their bytes>`
--   :due                     zset    job -> when it expires; when it has ended, when its record goes, ms
--   :unrun                   zset    JSON [job, tenant, key id, model] -> ended ms: ended before they ran, so that nobody
--                                    has closed their tickets; the sweeper of the workers does, and takes them out
--   :drained                 string  since when nothing is picked, by an operator's word, ms of his replica
--   :lines                   set     lines with unfinished jobs
--   :meta                    hash    clock ms, sequence (of acceptances), jobs and bytes (unfinished, in all)
--   :events                  channel JSON {id, tenant, line, status, attempt}
-- and of each line:
--   :line:<line>             hash    see `line_of`
--   :queued:<line>           zset    job -> created ms: all that wait
--   :handed:<line>           zset    job -> when it was picked or last started, ms
--   :waiting:<tenant>:<line> zset    job -> its place
--   :ready:<line>            zset    tenant -> virtual time at which its next job begins: of tenants with jobs waiting
--                                    that are not parked
--   :away:<line>             zset    tenant -> the same, of others, while that lies ahead of the line's virtual time
--   :parked:<line>           zset    tenant -> until when, ms
--   :flows:<line>            hash    tenant -> `<jobs waiting> <their cost> <their span>`
--
-- A job's cost is what it is estimated to take, in tokens; its span is its cost over its tenant's weight.

local root = KEYS[1]
local META, TENANTS, DUE, LINES = root .. ':meta', root .. ':tenants', root .. ':due', root .. ':lines'
local CLOCK_BACK_MS_MAX = 60000

-- Adding 0 makes 0 of -0, which Redis does not take for a number.
local function whole(number) return string.format('%.0f', number + 0) end
local function precise(number) return string.format('%.17g', number) end

-- Redis' own clock, which does not step back by less than a minute: as in ticket.lua.
local now
do
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  local seen = tonumber(redis.call('HGET', META, 'clock') or 0)
  if seen > now and seen - now <= CLOCK_BACK_MS_MAX then now = seen end
end
local function keep_clock()
  redis.call('HSET', META, 'clock', whole(now))
end

-- A line: its virtual time; the cost that is in the workers' hands; the cost that has ended, as a sum that fades while
-- the line is busy (by e in `METER_MS`), with its time and when it began.
local METER_MS = 60000
local LINE_FIELDS = { 'virtual', 'handed_cost', 'drained', 'drained_at', 'drained_since' }
local lines = {}
local function line_of(name)
  if lines[name] then return lines[name] end
  local fields = redis.call('HMGET', root .. ':line:' .. name, unpack(LINE_FIELDS))
  local line = { name = name, key = root .. ':line:' .. name }
  for index, field in ipairs(LINE_FIELDS) do line[field] = tonumber(fields[index] or 0) end
  for _, set in ipairs({ 'queued', 'handed', 'ready', 'away', 'parked', 'flows' }) do
    line[set] = root .. ':' .. set .. ':' .. name
  end
  lines[name] = line
  return line
end
local function keep_lines()
  for _, line in pairs(lines) do
    local set = {}
    for _, field in ipairs(LINE_FIELDS) do
      set[#set + 1], set[#set + 2] = field, precise(line[field])
    end
    redis.call('HSET', line.key, unpack(set))
  end
  keep_clock()
end

local JOB_FIELDS = {
  'tenant', 'line', 'status', 'place', 'cost', 'span', 'bytes', 'created_ms', 'expires_ms', 'kept_ms', 'attempt',
  'tries', 'holder', 'once', 'usage', 'result', 'via', 'held_until_ms', 'tentative_ms',
}
local NUMBERS = {
  place = true, cost = true, span = true, bytes = true, created_ms = true, expires_ms = true, kept_ms = true,
  attempt = true, tries = true, held_until_ms = true, tentative_ms = true,
}
-- Nil when there is none. `is_over`: its status will never change.
local function read_job(id)
  local fields = redis.call('HMGET', root .. ':job:' .. id, unpack(JOB_FIELDS))
  if not fields[1] then return nil end
  local job = { id = id, key = root .. ':job:' .. id }
  for index, field in ipairs(JOB_FIELDS) do
    job[field] = fields[index] or nil
    if NUMBERS[field] then job[field] = tonumber(job[field] or 0) end
  end
  job.is_over = job.status ~= 'queued' and job.status ~= 'in_progress'
  job.waiting = root .. ':waiting:' .. job.tenant .. ':' .. job.line
  return job
end

local function tell(job)
  redis.call('PUBLISH', root .. ':events', cjson.encode({
    id = job.id, tenant = job.tenant, line = job.line, status = job.status, attempt = job.attempt,
  }))
end

local function set_status(job, status, ...)
  job.status, job.is_over = status, status ~= 'queued' and status ~= 'in_progress'
  redis.call('HSET', job.key, 'status', status, ...)
  tell(job)
end

-- When the tenant's next job begins, in virtual time: never in the past, so nobody saves up for later.
local function tag_of(line, tenant)
  local tag = redis.call('ZSCORE', line.ready, tenant) or redis.call('ZSCORE', line.away, tenant)
  return math.max(line.virtual, tonumber(tag or 0))
end

-- Writes the tag, where it belongs now.
local function place_tenant(line, tenant, tag)
  tag = math.max(line.virtual, tag)
  local waits = redis.call('EXISTS', root .. ':waiting:' .. tenant .. ':' .. line.name) == 1
  if waits and not redis.call('ZSCORE', line.parked, tenant) then
    redis.call('ZADD', line.ready, precise(tag), tenant)
    redis.call('ZREM', line.away, tenant)
    return
  end
  redis.call('ZREM', line.ready, tenant)
  if tag > line.virtual then
    redis.call('ZADD', line.away, precise(tag), tenant)
  else
    redis.call('ZREM', line.away, tenant)
  end
end

-- Counts a job that begins or ceases to wait (`by` 1 or -1).
local function count_waiting(line, job, by)
  local text = redis.call('HGET', line.flows, job.tenant) or '0 0 0'
  local jobs, cost, span = string.match(text, '^(%S+) (%S+) (%S+)$')
  jobs = tonumber(jobs) + by
  if jobs <= 0 then return redis.call('HDEL', line.flows, job.tenant) end
  redis.call('HSET', line.flows, job.tenant, string.format(
    '%.0f %.0f %.17g', jobs, tonumber(cost) + by * job.cost, tonumber(span) + by * job.span
  ))
end

local function enter_waiting(line, job)
  redis.call('ZADD', job.waiting, whole(job.place), job.id)
  redis.call('ZADD', line.queued, whole(job.created_ms), job.id)
  count_waiting(line, job, 1)
end

-- Both return whether it was there.
local function leave_waiting(line, job)
  if redis.call('ZREM', job.waiting, job.id) == 0 then return false end
  redis.call('ZREM', line.queued, job.id)
  count_waiting(line, job, -1)
  return true
end
local function leave_handed(line, job)
  if redis.call('ZREM', line.handed, job.id) == 0 then return false end
  line.handed_cost = math.max(0, line.handed_cost - job.cost)
  return true
end

-- Counts an unfinished job in or out.
local function count_unfinished(job, by)
  local jobs, bytes = string.match(redis.call('HGET', TENANTS, job.tenant) or '0 0', '^(%S+) (%S+)$')
  jobs = tonumber(jobs) + by
  if jobs <= 0 then
    redis.call('HDEL', TENANTS, job.tenant)
  else
    local left = math.max(0, tonumber(bytes) + by * job.bytes)
    redis.call('HSET', TENANTS, job.tenant, string.format('%.0f %.0f', jobs, left))
  end
  redis.call('HINCRBY', META, 'jobs', by)
  redis.call('HINCRBY', META, 'bytes', whole(by * job.bytes))
end

local function meter(line, cost)
  local faded = math.exp(-math.max(0, now - line.drained_at) / METER_MS)
  line.drained, line.drained_at = line.drained * faded + cost, now
end

-- Leaves an event for the tenant's webhook, if there is one, in the step in which the job ends; webhooks/outbox.lua
-- says what becomes of it. Whoever was never told the id of a job is not told of its end either.
local OUTBOX_MAX, EVENT_KEPT_MS = 50000, 30 * 86400000
local function post_event(job, status)
  if job.via == 'held' or job.is_untold then return end
  local endpoint, outbox = root .. ':webhook:' .. job.tenant, root .. ':outbox:' .. job.tenant
  if redis.call('HGET', endpoint, 'status') ~= 'enabled' then return end
  if redis.call('ZCARD', outbox) >= OUTBOX_MAX then return redis.call('HINCRBY', endpoint, 'dropped', 1) end
  local id = string.gsub(job.id, '^job_', 'evt_')
  local event = root .. ':event:' .. id
  redis.call(
    'HSET', event, 'tenant', job.tenant, 'job', job.id, 'type', 'job.' .. status, 'created_ms', whole(now), 'tries', 0
  )
  redis.call('PEXPIREAT', event, whole(now + EVENT_KEPT_MS))
  redis.call('ZADD', outbox, whole(now), id)
  redis.call('PEXPIREAT', outbox, whole(now + EVENT_KEPT_MS))
  redis.call('ZADD', root .. ':outbox-ready', 'LT', whole(now), job.tenant)
end

local function note_unrun(job)
  local fields = redis.call('HMGET', job.key, 'key_id', 'model')
  local member = cjson.encode({ job.id, job.tenant, fields[1] or '', fields[2] or '' })
  redis.call('ZADD', root .. ':unrun', whole(now), member)
end

-- Gives a job its last status, wherever it is. What was picked and never began costs its tenant no turn.
local function end_job(job, status, ...)
  local line = line_of(job.line)
  local had_begun = job.status == 'in_progress'
  if leave_waiting(line, job) then
    place_tenant(line, job.tenant, tag_of(line, job.tenant))
  elseif leave_handed(line, job) and not had_begun then
    place_tenant(line, job.tenant, tag_of(line, job.tenant) - job.span)
  end
  if had_begun then meter(line, job.cost) else note_unrun(job) end
  count_unfinished(job, -1)
  redis.call('ZADD', DUE, whole(now + job.kept_ms), job.id)
  if redis.call('EXISTS', line.queued, line.handed) == 0 then redis.call('SREM', LINES, line.name) end
  set_status(job, status, 'finished_ms', whole(now), ...)
  post_event(job, status)
end

-- When the time of an unfinished job is over, ms: at its end, or when nobody has waited for some time for one that is
-- held for a caller.
local function due_at(job)
  if job.via ~= 'held' or job.held_until_ms == 0 then return job.expires_ms end
  return math.min(job.expires_ms, job.held_until_ms)
end
local function run_out(job)
  if job.expires_ms <= now then return end_job(job, 'expired') end
  end_job(job, 'cancelled', 'cancelled_by', 'caller_gone')
end

-- Takes out the record of a job that is over, and all that leads to it.
local function forget_job(job)
  redis.call('DEL', job.key)
  redis.call('ZREM', DUE, job.id)
  redis.call('ZREM', root .. ':of:' .. job.tenant, job.id)
  if not job.once then return end
  local once = root .. ':once:' .. job.tenant .. ':' .. job.once
  local text = redis.call('GET', once)
  if text and string.match(text, '^(%S+)') == job.id then redis.call('DEL', once) end
end
