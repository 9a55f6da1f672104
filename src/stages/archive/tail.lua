-- Reads the end of the manifest of a partition at one moment.
-- KEYS[1] the archive (hash)   [2] its last lines (list)
-- Replies the hash (field, value, ...), and the lines.

return { redis.call('HGETALL', KEYS[1]), redis.call('LRANGE', KEYS[2], '0', '-1') }
