-- Reads what was counted in months, and their days, at one moment; writes nothing. MULTI would do, but a full Redis takes none.
-- KEYS[1] books of the calendar   [2..] days
-- ARGV months
-- Replies per month, then per day { orders, revenue }; '' for a field that is not there

local function both(key, orders, revenue)
  local values = redis.call('HMGET', key, orders, revenue)
  return { values[1] or '', values[2] or '' }
end

local reply = {}
for _, month in ipairs(ARGV) do reply[#reply + 1] = both(KEYS[1], month .. ':orders', month .. ':revenue') end
for i = 2, #KEYS do reply[#reply + 1] = both(KEYS[i], 'orders', 'revenue') end
return reply
