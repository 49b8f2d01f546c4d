#!lua flags=allow-oom
-- Takes out the endpoint of a tenant, with the events that wait for it. Dead ones stay to be seen.
--
-- KEYS[1] root of the queue's keys
-- ARGV    tenant
--
-- Returns 1, or 0: there was none.

local endpoint = endpoint_of(ARGV[1])
redis.call('ZREM', READY, endpoint.tenant)
redis.call('DEL', endpoint.waiting, endpoint.handed)
return redis.call('DEL', endpoint.key)
