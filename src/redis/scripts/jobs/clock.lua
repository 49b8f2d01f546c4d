-- The clock by which the scripts of jobs go. Writes nothing.
--
-- KEYS[1] root of the queue's keys
--
-- Returns ms.

return now
