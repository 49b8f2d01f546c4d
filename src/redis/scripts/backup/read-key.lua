#!lua flags=no-writes
-- Reads a key in one step, unless it is long. Writes nothing.
--
-- KEYS[1] any key
-- ARGV    the most members to read at once; 1: its members are long, so none are read
--
-- Returns { type, when it expires in ms (-1: never), 1 and its members as they lie there, or 0: it is to be read piece by
-- piece }. A string is always read. Without the key the type is `none`.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return { kind, -1, 1, {} } end
local expires = redis.call('PEXPIRETIME', KEYS[1])
if kind == 'string' then return { kind, expires, 1, { redis.call('GET', KEYS[1]) } } end

local length_of = { hash = 'HLEN', zset = 'ZCARD', set = 'SCARD', list = 'LLEN', stream = 'XLEN' }
local all_of = {
  hash = { 'HGETALL', KEYS[1] }, zset = { 'ZRANGE', KEYS[1], 0, -1, 'WITHSCORES' }, set = { 'SMEMBERS', KEYS[1] },
  list = { 'LRANGE', KEYS[1], 0, -1 }, stream = { 'XRANGE', KEYS[1], '-', '+' },
}
if not length_of[kind] then return redis.error_reply('ERR a key of type ' .. kind .. ' cannot be backed up') end
if ARGV[2] == '1' or redis.call(length_of[kind], KEYS[1]) > tonumber(ARGV[1]) then return { kind, expires, 0, {} } end
return { kind, expires, 1, redis.call(unpack(all_of[kind])) }
