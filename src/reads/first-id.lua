-- Returns the id of the first entry of a stream from an id on. XRANGE alone would send the whole entry, of some MB.
-- KEYS[1] stream   ARGV[1] the id, or `(` and the id that comes before
local found = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', '1')[1]
return found and found[1] or false
