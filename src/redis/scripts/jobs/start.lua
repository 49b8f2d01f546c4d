#!lua flags=allow-oom
-- A worker begins a job that it was handed. From here on attempt n may write, and none before it.
--
-- KEYS[1] root of the queue's keys
-- ARGV    job, name of this run (the same name gets the same number again: a reply may be lost), most tries,
--         largest request that is wanted with the reply, bytes
--
-- Returns { code, attempt, status }, and where it has begun { …, bytes of its request, 0 if it is not there }; where that
-- is no larger { …, about, chunk } too:
--   0 begun                      3 it waits: it was put back, and will be handed over again
--   1 no such job                4 it had its tries, and has failed by this
--   2 it is over              5 its acceptance is in doubt: ask again in a moment

-- As the acceptance has written it; later, when it was first asked for.
local TENTATIVE = 1
local DOUBT_MS = 2000

local function begun(job)
  local payload = root .. ':payload:' .. job.id
  local about = redis.call('HGET', payload, 'about')
  local is_json, known = pcall(cjson.decode, about or '')
  if not is_json then return { 0, job.attempt, job.status, 0 } end
  local begun = { 0, job.attempt, job.status, known.bytes }
  if known.chunks == 1 and known.bytes <= tonumber(ARGV[4]) then
    begun[5], begun[6] = about, redis.call('HGET', payload, '0')
  end
  return begun
end

local job = read_job(ARGV[1])
if not job then return { 1, 0, '' } end
if job.is_over then return { 2, job.attempt, job.status } end
if job.status == 'in_progress' and job.holder == ARGV[2] then return begun(job) end
local line = line_of(job.line)
if not redis.call('ZSCORE', line.handed, job.id) then return { 3, job.attempt, job.status } end

if due_at(job) <= now then
  run_out(job)
  keep_lines()
  return { 2, job.attempt, job.status }
end
-- Nobody has confirmed that its caller heard of it. Whoever told him that it was refused withdraws it as soon as Redis
-- answers, which after an outage is when workers ask for it too; so it has the time from their first asking.
if job.tentative_ms == TENTATIVE then redis.call('HSET', job.key, 'tentative_ms', whole(now)) end
if job.tentative_ms == TENTATIVE or now < job.tentative_ms + DOUBT_MS then return { 5, job.attempt, job.status } end

if job.tries >= tonumber(ARGV[3]) then
  end_job(job, 'failed', 'error_code', 'attempts_exhausted', 'error_message', 'Every worker that took it has died.')
  keep_lines()
  return { 4, job.attempt, job.status }
end
job.attempt = job.attempt + 1
redis.call('ZADD', line.handed, whole(now), job.id)
set_status(
  job, 'in_progress', 'attempt', job.attempt, 'tries', job.tries + 1, 'holder', ARGV[2], 'started_ms', whole(now)
)
keep_lines()
return begun(job)
