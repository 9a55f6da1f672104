-- Replaces the invalid channels with the rebuilt ones, deletes the list that they were built from, and raises the counters,
-- all at once.
-- KEYS[1] list of the Python system   [2..] pairs: rebuilt key, key that it replaces; then counters
-- ARGV[1] length of the list   [2] number of rebuilt keys   [3] number of streams to check, rebuilt and replaced
-- ARGV[4..] per stream: index of its key, length, newest id ('' for none, '*' for any); then per count: index of its key,
--   field, amount
-- Replies 1, or 0 with nothing changed if the list or a stream is not as expected: another process wrote to it.

-- include ../../sums.lua

local first_count = 4 + 3 * tonumber(ARGV[3])
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
for i = 4, first_count - 1, 3 do
  local key = KEYS[tonumber(ARGV[i])]
  if redis.call('XLEN', key) ~= tonumber(ARGV[i + 1]) then return 0 end
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if ARGV[i + 2] ~= '*' and (newest and newest[1] or '') ~= ARGV[i + 2] then return 0 end
end
for i = first_count, #ARGV, 3 do
  local key, field = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local value = redis.call('HGET', key, field)
  if value and not is_integer(value) then return redis.error_reply('ORDERS ' .. key .. ' ' .. field .. ' is no whole number') end
end

redis.call('UNLINK', KEYS[1])
for i = 2, 2 * tonumber(ARGV[2]), 2 do
  redis.call('UNLINK', KEYS[i + 1])
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[i + 1]) end
end
for i = first_count, #ARGV, 3 do redis.call('HINCRBY', KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]) end
return 1
