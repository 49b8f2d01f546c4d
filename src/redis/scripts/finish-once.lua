#!lua flags=allow-oom
-- Ends a request that must run once: with its answer, which whoever repeats it gets, or as if it had never been.
--
-- KEYS[1] root of the tenant's keys
-- ARGV[1] digest of the Idempotency-Key, ARGV[2] digest of the request, ARGV[3] holder
-- ARGV[4] lifetime, ms; 0: it may run anew, and the rest is left out
-- ARGV[5] bound of the bytes of the tenant's entries
-- ARGV[6] … ARGV[10] the answer; left out: it has run, and its answer cannot be kept
--
-- Returns 1: done, with the answer where there is one; 2: done, but the answer does not fit; 0: it is somebody else's
-- by now, or finished.

local index = open_index('once')
local id, lifetime = ARGV[1], tonumber(ARGV[4])
local key = index.key(id)
local entry = redis.call('HMGET', key, 'holder', 'state')
if entry[1] and (entry[1] ~= ARGV[3] or entry[2] ~= 'r') then
  return 0
end
if lifetime == 0 then
  index.forget(id)
  return 1
end

index.forget_ended()
redis.call('HSET', key, 'request', ARGV[2], 'holder', ARGV[3], 'at', whole(now), 'state', 'f')
local bytes, done = ENTRY_BYTES, 1
if ARGV[10] then
  local room = tonumber(ARGV[5]) - index.bytes + index.size_of(id)
  if ENTRY_BYTES + #ARGV[10] <= room then
    bytes = ENTRY_BYTES + #ARGV[10]
    index.write_answer(id, 6)
  else
    done = 2
  end
end
index.note(id, bytes, now + lifetime)
return done
