-- Adds to days of a month what they lack, if the month still is as it was read: another repair may have added it since.
-- KEYS[1] books of the calendar   [2] progress of orders rebuild   [3..] all kept days of the month
-- ARGV[1] month   [2] orders and [3] revenue of its days together   [4] orders and [5] revenue counted in it
--   [6] when its days expire, in seconds since 1970   [7..] per day that lacks something: its key number, orders, revenue
-- Replies how many days were set

local call = redis.call
local orders, revenue = 0, 0
for i = 3, #KEYS do
  local values = call('HMGET', KEYS[i], 'orders', 'revenue')
  orders, revenue = orders + (tonumber(values[1] or '0') or 0), revenue + (tonumber(values[2] or '0') or 0)
end
local counted = call('HMGET', KEYS[1], ARGV[1] .. ':orders', ARGV[1] .. ':revenue')
local now = { orders, revenue, counted[1] or '0', counted[2] or '0' }
for i = 1, 4 do
  if tonumber(now[i]) ~= tonumber(ARGV[i + 1]) then return 0 end
end
call('HDEL', KEYS[2], 'token') -- what was compared before cannot be flipped: it would add the same again
for i = 7, #ARGV, 3 do
  local key = KEYS[tonumber(ARGV[i])]
  call('HINCRBY', key, 'orders', ARGV[i + 1])
  call('HINCRBY', key, 'revenue', ARGV[i + 2])
  call('EXPIREAT', key, ARGV[6])
end
return (#ARGV - 6) / 3
