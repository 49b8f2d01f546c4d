#!lua flags=allow-oom
-- Gives jobs whose records were put back from a backup their places again: waiting jobs wait, those that ran when the
-- copy was made wait too, without having lost a try, and what has ended is kept for the rest of its time. Does nothing
-- to jobs that have their place already.
--
-- KEYS[1] root of the queue's keys
-- ARGV    jobs …
--
-- Returns how many wait by this, and how many had ended.

-- As in accept.lua.
local SEQUENCES = 2 ^ 45
local sequence = tonumber(redis.call('HGET', META, 'sequence') or 0)
local waiting, over = 0, 0

local function let_wait(job)
  local line = line_of(job.line)
  redis.call('SADD', LINES, job.line)
  redis.call('ZADD', DUE, whole(due_at(job)), job.id)
  enter_waiting(line, job)
  place_tenant(line, job.tenant, tag_of(line, job.tenant))
  count_unfinished(job, 1)
  if job.status == 'in_progress' then
    redis.call('HDEL', job.key, 'started_ms', 'holder')
    set_status(job, 'queued', 'tries', math.max(0, job.tries - 1))
  end
end

for _, id in ipairs(ARGV) do
  local job = read_job(id)
  if job and not redis.call('ZSCORE', DUE, id) then
    redis.call('ZADD', root .. ':of:' .. job.tenant, whole(job.created_ms), id)
    sequence = math.max(sequence, job.place % SEQUENCES)
    if job.is_over then
      over = over + 1
      local finished = tonumber(redis.call('HGET', job.key, 'finished_ms') or now)
      redis.call('ZADD', DUE, whole(finished + job.kept_ms), id)
    else
      waiting = waiting + 1
      let_wait(job)
    end
  end
end
redis.call('HSET', META, 'sequence', whole(sequence))
keep_lines()
return { waiting, over }
