-- Reads an answer that is kept for equal requests.
--
-- KEYS[1] answer   hash, as keep-answer.lua has it
-- ARGV[1] the age from which on it is too old for whoever asks, ms
--
-- Returns { age ms, status, content type, upstream, upstream model, body }, or { -1 }.

local at = redis.call('HGET', KEYS[1], 'at')
if not at then
  return { -1 }
end
local time = redis.call('TIME')
local age = math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(at))
if age >= tonumber(ARGV[1]) then
  return { -1 }
end
local fields = redis.call('HMGET', KEYS[1], 'status', 'type', 'upstream', 'upstream_model', 'body')
return { age, tonumber(fields[1]), unpack(fields, 2) }
