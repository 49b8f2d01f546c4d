-- Says that a replica lives, and learns which others do. The time is Redis' own, so that all mean the same.
--
-- KEYS[1] replicas           hash: replica -> JSON report
-- ARGV[1] replica
-- ARGV[2] its report, JSON object; at_ms is filled in here
-- ARGV[3] how long a silent replica is kept, ms
--
-- Returns { now ms, replica, report, replica, report, … }, without those that were taken out: the silent ones, those
-- from a future that a clock which was set back has left, and what is no report.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local own = cjson.decode(ARGV[2])
own.at_ms = now
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(own))

local reply = { now }
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local is_json, report = pcall(cjson.decode, all[index + 1])
  local at = is_json and type(report) == 'table' and tonumber(report.at_ms)
  if at and math.abs(now - at) <= tonumber(ARGV[3]) then
    reply[#reply + 1], reply[#reply + 2] = all[index], all[index + 1]
  else
    redis.call('HDEL', KEYS[1], all[index])
  end
end
return reply
