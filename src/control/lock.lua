-- Renews or releases a lock, if its holder still has it.
-- KEYS[1] lock   ARGV[1] holder   [2] milliseconds to hold it from now on; 0 releases it
-- Replies 1, or 0 where another process holds it, or none.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
