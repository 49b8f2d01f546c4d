-- Gives all current reports of the load of GPU servers, and to the replica that asks those servers whose turn it is to
-- be asked for a new one. Whoever claims a server is alone with it until its claim has run out, or until it has
-- written what it heard, with the time at which the server is to be asked next.
--
-- KEYS[1] loads    hash: upstream -> JSON { due_ms, at_ms, running, waiting }, by Redis' clock; all but due_ms only
--                  where the server has said something
-- ARGV[1] how far due_ms may lie from now, ms; other entries are of servers that nobody asks any more, or from a future
--         that a clock which was set back has left, and are taken out
-- ARGV[2] upstream, ARGV[3] how long a claim of it lasts, ms; and so on for each that may be asked
--
-- Returns { now ms, claimed, report, claimed, report, … } in the order of the question; claimed 1 or 0, report JSON.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local known = {}
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local is_json, entry = pcall(cjson.decode, all[index + 1])
  local due = is_json and type(entry) == 'table' and tonumber(entry.due_ms)
  if due and math.abs(now - due) <= tonumber(ARGV[1]) then
    known[all[index]] = entry
  else
    redis.call('HDEL', KEYS[1], all[index])
  end
end

local reply = { now }
for index = 2, #ARGV, 2 do
  local upstream = ARGV[index]
  local entry = known[upstream]
  local is_due = not entry or tonumber(entry.due_ms) <= now
  if is_due then
    entry = entry or {}
    entry.due_ms = now + tonumber(ARGV[index + 1])
    redis.call('HSET', KEYS[1], upstream, cjson.encode(entry))
  end
  reply[#reply + 1] = is_due and 1 or 0
  reply[#reply + 1] = cjson.encode(entry)
end
return reply
