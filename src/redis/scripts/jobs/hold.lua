#!lua flags=allow-oom
-- A sign of the callers for whom jobs are held. Without one a held job is cancelled when its time is over, also when
-- the replica that held it has died.
--
-- KEYS[1] root of the queue's keys
-- ARGV    for how long they are thought to be there, ms, then the jobs
--
-- Returns for each: 1 it is held on, 0 it is over, gone, or promised by a 202, which needs no caller.

local held = {}
for at = 2, #ARGV do
  local job = read_job(ARGV[at])
  local is_held = job and not job.is_over and job.via == 'held'
  if is_held then
    -- Another replica may hold it for longer.
    job.held_until_ms = math.max(job.held_until_ms, now + ARGV[1])
    redis.call('HSET', job.key, 'held_until_ms', whole(job.held_until_ms))
    redis.call('ZADD', DUE, whole(due_at(job)), job.id)
  end
  held[#held + 1] = is_held and 1 or 0
end
keep_clock()
return held
