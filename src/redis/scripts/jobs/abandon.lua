#!lua flags=allow-oom
-- Ends held jobs whose callers have been gone for as long as one may be. The sweep would do the same, later.
--
-- KEYS[1] root of the queue's keys
-- ARGV    jobs
--
-- Returns for each: 0 nothing was done, it is over or somebody holds it on; 1 ended before it ran; 2 while it ran.

local ended = {}
for _, id in ipairs(ARGV) do
  local job = read_job(id)
  local code = 0
  if job and not job.is_over and due_at(job) <= now then
    code = job.status == 'in_progress' and 2 or 1
    run_out(job)
  end
  ended[#ended + 1] = code
end
keep_lines()
return ended
