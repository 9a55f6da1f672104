-- Sets the global stats and counters of a partition to the sums of its users, all at once. Idempotent.
-- KEYS[1] counters   [2] global stats   [3] token of the last comparison
-- ARGV[1] orders and [2] minor units of all users   [3] counter of the orders and corrections that were counted before
-- ARGV[4] counter by which users have fewer orders than [3]
-- ARGV[5..] counters that orders pass, to be raised by as much
-- Replies the number of orders by which the counters were raised. It is below 0 if more orders were counted before than
-- users have, for example after a user was deleted. The counters then stay, and the books report it.

-- include ../../sums.lua

local function counter(name) return redis.call('HGET', KEYS[1], name) or '0' end
for i = 3, #ARGV do
  if not is_integer(counter(ARGV[i])) then return redis.error_reply('ORDERS the counter ' .. ARGV[i] .. ' is no whole number') end
end
redis.call('HLEN', KEYS[2]) -- what can fail is done before the first write
redis.call('DEL', KEYS[3]) -- what was compared before can no longer be added
local more = tonumber(ARGV[1]) + tonumber(counter(ARGV[4])) - tonumber(counter(ARGV[3]))

for i = 5, #ARGV do
  if more > 0 then redis.call('HINCRBY', KEYS[1], ARGV[i], string.format('%.0f', more)) end
end
redis.call('HDEL', KEYS[2], 'total_revenue')
redis.call('HSET', KEYS[2], 'total_orders', ARGV[1], 'total_revenue_minor', ARGV[2])
return string.format('%.0f', more)
