-- Notes that a tenant has tickets, by Redis' clock: replicas whose own are minutes apart would hide it from each other.
--
-- KEYS[1] active tenants   sorted set
-- ARGV[1] tenant
--
-- Returns nothing of interest.

return redis.call('ZADD', KEYS[1], redis.call('TIME')[1] * 1000, ARGV[1])
