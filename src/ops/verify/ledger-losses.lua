-- Counts the ledger's lines in some buckets of a generation, and says how many the generation must have; writes nothing.
-- KEYS[1] remembered   [2..] buckets
-- ARGV[1] generation
-- Replies { seconds by Redis' clock, lines written in the generation, lines in the buckets }

local lines = 0
for i = 2, #KEYS do lines = lines + redis.call('HLEN', KEYS[i]) end
return { tonumber(redis.call('TIME')[1]), tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') or 0, lines }
