#!lua flags=allow-oom
-- Extends leases: their holder lives. One that has run out meanwhile takes its slots again, above the limit if need
-- be, because its call is running.
--
-- KEYS[1] root of the tenant's keys
-- ARGV    lease ms, tickets …
--
-- Returns how many were open, and how many had run out. The others are closed or were never there.

local ids, lease_end = {}, string.format('%.0f', now + tonumber(ARGV[1]))
for index = 2, #ARGV do ids[index - 1] = ARGV[index] end

local open, retaken = 0, 0
local texts = redis.call('HMGET', TICKETS, unpack(ids))
local leases = {}
for index, id in ipairs(ids) do
  local ticket = read_ticket(texts[index])
  if ticket and ticket.state ~= 'c' then
    if ticket.state == 'x' then
      retaken = retaken + 1
      move_slots_of(ticket, 1)
      redis.call('HSET', TICKETS, id, 'b' .. ticket.rest)
    else
      open = open + 1
    end
    leases[#leases + 1], leases[#leases + 2] = lease_end, id
  end
end
if #leases > 0 then
  redis.call('ZADD', LEASES, unpack(leases))
  keep_clock()
end
keep_accounts()
return { open, retaken }
