-- Puts the books of a partition right after its users: global stats and counters are what they add up to, and the rebuilt
-- leaderboards take the place of those there are; all at once. Done twice it is the same.
-- KEYS[1] counters   [2] global stats   [3] [4] leaderboards of spend and orders   [5] [6] the same, rebuilt
-- ARGV[1] orders and [2] minor units of all users   [3] counter of the orders that were counted before
-- ARGV[4..] counters that orders pass, to be raised by as much
-- Replies how many orders the counters were raised by; below 0 where more were counted before than users have, as after a
-- user was deleted: then they stay, and the books say so.

local function counter(name) return redis.call('HGET', KEYS[1], name) or '0' end
local counted = counter(ARGV[3])
for i = 4, #ARGV do
  if not counter(ARGV[i]):match('^%-?%d+$') then return redis.error_reply('ORDERS the counter ' .. ARGV[i] .. ' is no whole number') end
end
redis.call('HLEN', KEYS[2]) -- what can fail is done before the first write
local more = tonumber(ARGV[1]) - tonumber(counted)

for i = 4, #ARGV do
  if more > 0 then redis.call('HINCRBY', KEYS[1], ARGV[i], string.format('%.0f', more)) end
end
redis.call('HDEL', KEYS[2], 'total_revenue')
redis.call('HSET', KEYS[2], 'total_orders', ARGV[1], 'total_revenue_minor', ARGV[2])
for i = 3, 4 do
  redis.call('UNLINK', KEYS[i]) -- RENAME would free a million members before it goes on
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then redis.call('RENAME', KEYS[i + 2], KEYS[i]) end
end
return string.format('%.0f', more)
