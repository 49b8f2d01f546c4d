#!lua flags=allow-oom
-- Ends jobs whose time is over, and takes out the records of those that have been over for long enough.
--
-- KEYS[1] root of the queue's keys
-- ARGV    the most to look at in this step
--
-- Returns how many have expired, and how many records were taken out. Both 0: nothing is due.

local expired, forgotten = 0, 0
for _, id in ipairs(redis.call('ZRANGE', DUE, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local job = read_job(id)
  if job and not job.is_over then
    expired = expired + 1
    run_out(job)
  else
    forgotten = forgotten + 1
    if job then forget_job(job) else redis.call('ZREM', DUE, id) end
  end
end
keep_lines()
return { expired, forgotten }
