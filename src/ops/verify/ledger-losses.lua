-- Counts the ledger's records in some buckets of a generation, and reads how many the generation must have. Writes nothing.
-- KEYS[1] ledger counts   [2..] buckets
-- ARGV[1] generation
-- Replies { seconds by Redis' clock, records written in the generation, records in the buckets }

local records = 0
for i = 2, #KEYS do records = records + redis.call('HLEN', KEYS[i]) end
return { tonumber(redis.call('TIME')[1]), tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') or 0, records }
