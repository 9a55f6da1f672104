-- Puts a record batch on the raw stream and counts its orders as received.
-- KEYS[1] orders:raw   [2] counters   [3] outcome of a ticket, if any
-- ARGV[1] number of records   [2] records (a JSON array)   [3] seconds the outcome is kept
-- Replies the entry's id, or false where the ticket has sent before: a job that is tried again sends once.
-- XADD is the first write: it is what a full Redis refuses, and then nothing is counted.

if KEYS[3] and redis.call('HEXISTS', KEYS[3], 'sent') == 1 then return false end
redis.call('HLEN', KEYS[2])
local id = redis.call('XADD', KEYS[1], '*', 'n', ARGV[1], 'r', ARGV[2])
redis.call('HINCRBY', KEYS[2], 'received', ARGV[1])
if KEYS[3] then
  redis.call('HSET', KEYS[3], 'sent', ARGV[1])
  redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return id
