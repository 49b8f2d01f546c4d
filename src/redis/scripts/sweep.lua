#!lua flags=allow-oom
-- Ends the tickets of a tenant that has gone silent, whose leases nobody else would look at.
--
-- KEYS[1] root of the tenant's keys
-- ARGV    the most to end in this step
--
-- Returns how many leases have run out, how many old tickets were forgotten, and how many of all kinds are left.

local expired, forgotten = expire(tonumber(ARGV[1]))
keep_accounts()
keep_books()
return { expired, forgotten, redis.call('ZCARD', LEASES) }
