-- Converts users of the Python system: adds their totals to ours and deletes the old ones, each user once.
-- KEYS per user two: the hash of the Python system, and ours (the same if names are bare)
-- ARGV per user three: order_count and total_spend as the caller read them, empty if there is none; total_spend in
--   minor units
-- Replies the number of the first user (from 1) whose hash is not as it was read, with nothing changed; else 0.

-- include ../../sums.lua

local function as_read(value, text) return (value or '') == text end
for i = 1, #KEYS, 2 do
  local at = (i - 1) / 2 * 3
  local theirs = redis.call('HMGET', KEYS[i], 'order_count', 'total_spend')
  if not as_read(theirs[1], ARGV[at + 1]) or not as_read(theirs[2], ARGV[at + 2]) then return (i + 1) / 2 end
  for _, value in ipairs(redis.call('HMGET', KEYS[i + 1], 'order_count', 'total_spend_minor')) do
    if value and not is_integer(value) then return (i + 1) / 2 end -- what can fail is found before the first write
  end
end

for i = 1, #KEYS, 2 do
  local at = (i - 1) / 2 * 3
  local orders = ARGV[at + 1] == '' and '0' or ARGV[at + 1]
  if KEYS[i] == KEYS[i + 1] then orders = '0' end -- both systems count in this field
  redis.call('HINCRBY', KEYS[i + 1], 'order_count', orders)
  redis.call('HINCRBY', KEYS[i + 1], 'total_spend_minor', ARGV[at + 3])
  redis.call('HDEL', KEYS[i], 'total_spend')
  if KEYS[i] ~= KEYS[i + 1] then redis.call('HDEL', KEYS[i], 'order_count') end
end
return 0
