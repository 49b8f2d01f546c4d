-- Begins a request that must run once, or tells what has become of it. Whoever begins it holds it by a lease, which it
-- renews; when the lease has run out, its holder has died, and the next one begins anew.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] digest of the Idempotency-Key
-- ARGV[2] digest of the request
-- ARGV[3] holder, a name that no other request has
-- ARGV[4] lease, ms
-- ARGV[5] bound of the tenant's entries, ARGV[6] bound of their bytes
--
-- The entry: request, holder, at (ms), state r running or f finished; when finished, the answer, or nothing of it
-- where it could not be kept.
--
-- Returns { 0 } it is the holder's to run; { 1, for how long it has been running, ms }; { 2 } the key belongs to another
-- request; { 3, until the first entry ends, ms } there are too many; { 4, status, content type, upstream, upstream
-- model, body }; { 5 } finished, and the answer was not kept.

local index = open_index('once')
local key = index.key(ARGV[1])
local entry = redis.call('HMGET', key, 'request', 'state', 'at', 'status', 'type', 'upstream',
  'upstream_model', 'body')
if entry[1] then
  if entry[1] ~= ARGV[2] then
    return { 2 }
  elseif entry[2] == 'r' then
    return { 1, math.max(0, now - tonumber(entry[3])) }
  elseif entry[4] then
    return { 4, tonumber(entry[4]), unpack(entry, 5) }
  end
  return { 5 }
end

index.forget_ended()
if index.count() >= tonumber(ARGV[5]) or index.bytes >= tonumber(ARGV[6]) then
  return { 3, index.first_ends_in() }
end
redis.call('HSET', key, 'request', ARGV[2], 'holder', ARGV[3], 'at', whole(now), 'state', 'r')
index.note(ARGV[1], ENTRY_BYTES, now + tonumber(ARGV[4]))
return { 0 }
