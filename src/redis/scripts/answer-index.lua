-- What the scripts of stored answers share. An entry is a hash of its own that Redis ends; an index beside it says when
-- each entry ends and how large it is, so that all entries of a tenant together stay within a bound.
--
-- KEYS[1]                 root of the tenant's keys
-- <root>:<kind>:<id>      hash: one entry; expires
-- <root>:<kind>s          sorted set: id -> when the entry ends, ms; expires with the last entry
-- <root>:<kind>-sizes     hash: id -> bytes, and `all`: their sum; expires with the last entry
--
-- The fields of an answer in its entry are status, type, upstream, upstream_model and body; answers come and go in that
-- order.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- One step takes out at most so many entries, however full the index is.
local FORGOTTEN_MAX = 200
-- What Redis needs for an entry beside its body, so that small answers are bounded in number too.
local ENTRY_BYTES = 512

-- What Redis says in Lua numbers would lose digits when concatenated.
local function whole(number)
  return string.format('%.0f', number)
end

local function open_index(kind)
  local ends, sizes = KEYS[1] .. ':' .. kind .. 's', KEYS[1] .. ':' .. kind .. '-sizes'
  local index = { bytes = tonumber(redis.call('HGET', sizes, 'all') or '0') }

  local function resize(id, bytes)
    local change = bytes - tonumber(redis.call('HGET', sizes, id) or '0')
    if bytes == 0 then
      redis.call('HDEL', sizes, id)
    else
      redis.call('HSET', sizes, id, whole(bytes))
    end
    if change ~= 0 then
      index.bytes = redis.call('HINCRBY', sizes, 'all', whole(change))
    end
  end

  function index.key(id)
    return KEYS[1] .. ':' .. kind .. ':' .. id
  end

  -- An end that has passed is how the entry itself is taken out.
  function index.forget(id)
    redis.call('PEXPIREAT', index.key(id), 1)
    redis.call('ZREM', ends, id)
    resize(id, 0)
  end

  function index.forget_ended()
    local ended = redis.call('ZRANGE', ends, '-inf', whole(now), 'BYSCORE', 'LIMIT', 0, FORGOTTEN_MAX)
    for _, id in ipairs(ended) do
      index.forget(id)
    end
  end

  -- Takes out what ends first until there is room, or until it has done enough for one step.
  function index.make_room(bytes, bytes_max)
    if index.bytes + bytes <= bytes_max then
      return true
    end
    for _, id in ipairs(redis.call('ZRANGE', ends, 0, FORGOTTEN_MAX - 1)) do
      index.forget(id)
      if index.bytes + bytes <= bytes_max then
        return true
      end
    end
    return false
  end

  -- The entry has been written, with this many bytes; it and the index live until then.
  function index.note(id, bytes, end_ms)
    resize(id, bytes)
    redis.call('PEXPIREAT', index.key(id), whole(end_ms))
    redis.call('ZADD', ends, whole(end_ms), id)
    local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')
    redis.call('PEXPIREAT', ends, last[2])
    redis.call('PEXPIREAT', sizes, last[2])
  end

  -- @param first of ARGV that is the answer's
  function index.write_answer(id, first)
    local status, content_type, upstream, model, body = unpack(ARGV, first)
    redis.call('HSET', index.key(id), 'status', status, 'type', content_type, 'upstream', upstream,
      'upstream_model', model, 'body', body)
  end

  function index.size_of(id)
    return tonumber(redis.call('HGET', sizes, id) or '0')
  end

  function index.count()
    return redis.call('ZCARD', ends)
  end

  -- How long until the first entry ends, ms.
  function index.first_ends_in()
    local first = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')
    return first[2] and math.max(0, tonumber(first[2]) - now) or 0
  end

  return index
end
