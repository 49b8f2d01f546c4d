#!lua flags=allow-oom
-- Gives back a job that cannot run now: admission refused it, or its worker is told to leave. It waits again at the
-- place that it had, its tenant has its turn back, and the try does not count.
--
-- KEYS[1] root of the queue's keys
-- ARGV    job, attempt that gives it back (0 = none had begun)
--
-- Returns { code, attempt, status }:
--   0 it waits, also when it did before     2 it is over
--   1 no such job                           3 another attempt has it

local job = read_job(ARGV[1])
if not job then return { 1, 0, '' } end
if job.is_over then return { 2, job.attempt, job.status } end
local line = line_of(job.line)
if redis.call('ZSCORE', job.waiting, job.id) then return { 0, job.attempt, job.status } end

local has_begun = job.status == 'in_progress'
local given = tonumber(ARGV[2])
if (has_begun and given ~= job.attempt) or (not has_begun and given ~= 0) then
  return { 3, job.attempt, job.status }
end
leave_handed(line, job)
enter_waiting(line, job)
place_tenant(line, job.tenant, tag_of(line, job.tenant) - job.span)
if has_begun then redis.call('HDEL', job.key, 'started_ms', 'holder') end
set_status(job, 'queued', 'tries', has_begun and math.max(0, job.tries - 1) or job.tries)
keep_lines()
return { 0, job.attempt, job.status }
