#!lua flags=allow-oom
-- Ends a job, if the attempt is the current one and nothing has ended it before.
--
-- What a job has really cost moves its tenant's turn: more than was estimated puts it later, less earlier.
--
-- KEYS[1] root of the queue's keys
-- ARGV    1 job, 2 attempt, 3 status: completed or failed, 4 real cost ('' = as estimated),
--         5 usage, JSON ('' = unknown), 6 error code, 7 message, of a failed one
--
-- Returns { code, attempt, status }:
--   0 ended by this, also when this attempt ended it so before    2 it is over by other means, as `status` says
--   1 no such job                                                3 the attempt is not the current one
--
-- A job that was cancelled or has expired while it ran keeps that status, and takes the usage once.

return finish()
