#!lua flags=allow-oom
-- Puts calls off that are to run again later: their slots are free, and what else their tickets hold stays theirs until
-- they are resumed, at most for so long.
--
-- KEYS[1] root of the tenant's keys
-- ARGV    lease ms, tickets …
--
-- Returns how many there were. The others are closed or were never there.

local ids, lease_end = {}, string.format('%.0f', now + tonumber(ARGV[1]))
for index = 2, #ARGV do ids[index - 1] = ARGV[index] end

local function without_slot(text)
  local mask = tonumber(text)
  return string.format('%d', has(mask, SLOT) and mask - SLOT or mask)
end

local found = 0
local texts = redis.call('HMGET', TICKETS, unpack(ids))
for index, id in ipairs(ids) do
  local ticket = read_ticket(texts[index])
  if ticket and ticket.state ~= 'c' then
    found = found + 1
    if ticket.state ~= 'x' then move_slots_of(ticket, -1) end
    local masks = string.gsub(ticket.masks, '%S+', without_slot)
    redis.call('HSET', TICKETS, id, ticket_text(ticket.state == 'x' and 'b' or ticket.state, ticket, masks))
    redis.call('ZADD', LEASES, lease_end, id)
  end
end
if found > 0 then keep_clock() end
keep_accounts()
return found
