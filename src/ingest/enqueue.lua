-- Puts record batches on the raw stream and counts their orders as received.
-- KEYS[1] orders:raw   [2] counters   [3] outcome of a ticket, if any
-- ARGV[1] seconds the outcome is kept   [2..] per batch the number of its records and the records (a JSON array)
-- Replies the entries' ids; none where the ticket has sent before: a job that is tried again sends once.
-- XADD is the first write: it is what a full Redis refuses, and then nothing is counted.

if KEYS[3] and redis.call('HEXISTS', KEYS[3], 'sent') == 1 then return {} end
redis.call('HLEN', KEYS[2])
local ids, received = {}, 0
for i = 2, #ARGV, 2 do
  -- c: counted as received; entries that others put there are counted where they are judged
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'n', ARGV[i], 'c', '1', 'r', ARGV[i + 1])
  received = received + tonumber(ARGV[i])
end
redis.call('HINCRBY', KEYS[2], 'received', received)
if KEYS[3] then
  redis.call('HSET', KEYS[3], 'sent', received)
  redis.call('EXPIRE', KEYS[3], ARGV[1])
end
return ids
