-- What finish.lua and complete.lua share: ARGV and returns are those of finish.lua.
-- `keep_answer` is called before the job ends, when this attempt's end counts.

local function finish(keep_answer)
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
  if keep_answer then keep_answer(job) end
  end_job(job, ARGV[3], unpack(more))
  correct()
  keep_lines()
  return { 0, attempt, job.status }
end
