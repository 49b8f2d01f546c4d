-- Sums of the books, of those that there are. A report asks for every key and model on every day, and most of these
-- have no sums: asked for one by one, they would cost the process that asks ten times what they cost Redis.
--
-- KEYS[1] root of the tenant's keys
-- ARGV    names of hashes, each behind `<root>:usage:`; some hundreds, of 2 us each
--
-- Returns for each that is there: its place in ARGV from 1 on, and its ten fields as `settle.lua` writes them, in the
-- order of `usage-table.ts`; 0 for a field that is not there.

local found = {}
for place, name in ipairs(ARGV) do
  local values = redis.call('HMGET', KEYS[1] .. ':usage:' .. name, 'c', 'e', 'l', 'i', 'o', 'h', 'p', 'g', 'n', 'd')
  local is_there = false
  for index = 1, 10 do is_there = is_there or values[index] end
  if is_there then
    found[#found + 1] = place
    for index = 1, 10 do found[#found + 1] = values[index] or '0' end
  end
end
return found
