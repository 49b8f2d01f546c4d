-- Where a job stands. Writes nothing.
--
-- KEYS[1] root of the queue's keys
-- ARGV    job
--
-- Returns { code, jobs of its tenant before it in its line }:
--   0 it waits, 1 no such job, 2 in the workers' hands, 3 over

local job = read_job(ARGV[1])
if not job then return { 1, 0 } end
if job.is_over then return { 3, 0 } end
local rank = redis.call('ZRANK', job.waiting, job.id)
return { rank and 0 or 2, rank or 0 }
