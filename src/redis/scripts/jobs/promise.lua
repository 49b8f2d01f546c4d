#!lua flags=allow-oom
-- The caller of a held job is told its id: from here on it goes on without him.
--
-- KEYS[1] root of the queue's keys
-- ARGV    job
--
-- Returns { code, attempt, status }: 0 promised, now or before; 1 no such job; 2 it is over.

local job = read_job(ARGV[1])
if not job then return { 1, 0, '' } end
if job.is_over then return { 2, job.attempt, job.status } end
job.via = 'async'
redis.call('HSET', job.key, 'via', job.via)
redis.call('ZADD', DUE, whole(due_at(job)), job.id)
keep_clock()
return { 0, job.attempt, job.status }
