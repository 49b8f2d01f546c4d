#!lua flags=allow-oom
-- Ends a job at somebody's wish, wherever it is. The worker that has it hears of it on the channel, and finds out at
-- the latest when it wants to finish.
--
-- KEYS[1] root of the queue's keys
-- ARGV    job, tenant that asks ('' = an operator), who wished it, whether to forget it too (1)
--
-- Forgetting takes out the record and the idempotency entry as well: for a job that is over, and for one whose
-- acceptance could not be confirmed.
--
-- Returns { code, attempt, status it has now, or had }:
--   0 cancelled by this     1 no such job of this tenant     2 it was over

local job = read_job(ARGV[1])
if not job or (ARGV[2] ~= '' and job.tenant ~= ARGV[2]) then return { 1, 0, '' } end
local code = 2
if not job.is_over then
  code = 0
  -- Nobody could look up what the event is about.
  job.is_untold = ARGV[4] == '1'
  end_job(job, 'cancelled', 'cancelled_by', ARGV[3])
  keep_lines()
end
if ARGV[4] == '1' then forget_job(job) end
return { code, job.attempt, job.status }
