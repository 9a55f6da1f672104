-- Reads a day, and what users have on it, at one moment; writes nothing. MULTI would do, but a full Redis takes none.
-- KEYS[1] the day   [2..] hashes of users' months
-- ARGV[1], [2] the fields of the day in them
-- Replies { orders, revenue } of the day, then of each user; '' for a field that is not there

local function both(key, orders, revenue)
  local values = redis.call('HMGET', key, orders, revenue)
  return { values[1] or '', values[2] or '' }
end

local reply = { both(KEYS[1], 'orders', 'revenue') }
for i = 2, #KEYS do reply[i] = both(KEYS[i], ARGV[1], ARGV[2]) end
return reply
