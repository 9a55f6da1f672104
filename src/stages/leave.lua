-- Removes a consumer from its group, unless entries are pending for it: XGROUP DELCONSUMER would forget those.
-- KEYS[1] stream. ARGV[1] group, [2] consumer. Replies 1 if it is gone, else 0.

if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
