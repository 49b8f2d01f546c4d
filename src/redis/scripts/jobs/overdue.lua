-- Jobs in the workers' hands that nobody has picked or begun for so long: whoever picked them may have died before it
-- handed them on. Writes nothing.
--
-- KEYS[1] root of the queue's keys
-- ARGV    line, age ms, the most to name
--
-- Returns { job, … }, the oldest first.

local line = line_of(ARGV[1])
return redis.call(
  'ZRANGE', line.handed, '-inf', whole(now - tonumber(ARGV[2])), 'BYSCORE', 'LIMIT', 0, ARGV[3]
)
