-- Puts a record batch on the raw stream and counts its orders as received.
-- KEYS[1] orders:raw, [2] counters. ARGV[1] number of records, [2] records (a JSON array). Replies the entry's id.
-- XADD comes first: it is what a full Redis refuses, and then nothing is counted.

local id = redis.call('XADD', KEYS[1], '*', 'n', ARGV[1], 'r', ARGV[2])
redis.call('HINCRBY', KEYS[2], 'received', ARGV[1])
return id
