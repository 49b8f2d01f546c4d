#!lua flags=allow-oom
-- Ends a job, if the attempt is the current one and nothing has ended it before.
--
-- What a job has really cost moves its tenant's turn: more than was estimated puts it later, less earlier.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 job, 2 attempt, 3 status: completed or failed, 4 real cost ('' = as estimated),
--         5 usage, JSON ('' = unknown), 6 error code, 7 message, of a failed one
--
-- Returns { code, attempt, status }:
--   0 ended by this, also when this attempt ended it so before    2 it is over by other means, as `status` says
--   1 no such job                                                3 the attempt is not the current one
--
-- A job that was cancelled or has expired while it ran keeps that status, and takes the usage once.

local job = read_job(ARGV[1])
if not job then return { 1, 0, '' } end
local attempt = tonumber(ARGV[2])
if job.attempt ~= attempt then return { job.is_over and 2 or 3, job.attempt, job.status } end

local function correct()
  if ARGV[4] == '' or job.cost == 0 then return end
  local line = line_of(job.line)
  place_tenant(line, job.tenant, tag_of(line, job.tenant) + (tonumber(ARGV[4]) / job.cost - 1) * job.span)
end

if job.is_over then
  if tonumber(job.result) == attempt then return { job.status == ARGV[3] and 0 or 2, attempt, job.status } end
  if ARGV[5] ~= '' and not job.usage and job.holder then
    redis.call('HSET', job.key, 'usage', ARGV[5])
    correct()
    keep_lines()
  end
  return { 2, attempt, job.status }
end
if job.status ~= 'in_progress' then return { 3, attempt, job.status } end

local more = { 'result', attempt }
local function add(name, value)
  if value ~= '' then more[#more + 1], more[#more + 2] = name, value end
end
add('usage', ARGV[5])
add('error_code', ARGV[6])
add('error_message', ARGV[7])
end_job(job, ARGV[3], unpack(more))
correct()
keep_lines()
return { 0, attempt, job.status }
