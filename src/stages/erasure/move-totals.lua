-- Moves numbers of an erased user to the anonymous account of the partition, and ranks the user by what is left. Repeated, it
-- changes nothing.
-- KEYS[1] erased users   [2] layout   [3] token of the last comparison   [4..] those that the plan names by number
-- ARGV[1] the caller's number of partitions   [2] user   [3] plan, a JSON object:
--   hashes   [[key number of the user's, of the account's]]: what moves
--   boards   [[key number, field, [key numbers of the user's hashes]]]: a score is the sum of the field. First the board of orders
--            of each period, then its other one: who has no order leaves both
--   moved    field of [1] to set, absent while more must move
-- Replies { field, value, ... } of the first of the user's hashes. Fails if the partitions have changed.
--
-- A board that the user is not on stays as it is: it may have expired. Everything that can fail comes before the first write.

-- include ../../sums.lua

local call = redis.call
local layout = call('GET', KEYS[2])
if layout and layout ~= ARGV[1] then return redis.error_reply('ORDLAYOUT ' .. layout .. ' ' .. ARGV[1]) end
local user, plan = ARGV[2], cjson.decode(ARGV[3])

local function is_whole(value) return is_integer(value) and #value <= 18 end

call('HLEN', KEYS[1])
local held = {}
for i, pair in ipairs(plan.hashes) do
  held[i] = call('HGETALL', KEYS[pair[1]])
  for at = 1, #held[i], 2 do
    local present = call('HGET', KEYS[pair[2]], held[i][at]) or '0'
    if not (is_whole(held[i][at + 1]) and is_whole(present)) then
      return redis.error_reply('ORDERS ' .. KEYS[pair[1]] .. ' ' .. held[i][at] .. ' is no integer that can move')
    end
  end
end
for _, board in ipairs(plan.boards) do call('ZCARD', KEYS[board[1]]) end

call('DEL', KEYS[3]) -- what was compared before can no longer be added
for i, pair in ipairs(plan.hashes) do
  local from, to = KEYS[pair[1]], KEYS[pair[2]]
  local ttl, is_new = call('PTTL', from), call('EXISTS', to) == 0
  for at = 1, #held[i], 2 do call('HINCRBY', to, held[i][at], held[i][at + 1]) end
  if #held[i] > 0 and is_new and ttl > 0 then call('PEXPIRE', to, ttl) end
  call('DEL', from)
end

local function sum_of(field, numbers)
  local sum = 0
  for _, number in ipairs(numbers) do sum = sum + tonumber(call('HGET', KEYS[number], field) or '0') end
  return sum
end

-- Sets the user's score, or takes a user off whose orders are not above 0.
local function rank(board, orders, score)
  if orders > 0 then
    call('ZADD', board, string.format('%.0f', score), user)
  else
    call('ZREM', board, user)
  end
end

for at = 1, #plan.boards, 2 do
  local by_orders, by_spend = plan.boards[at], plan.boards[at + 1]
  local first = KEYS[by_orders[1]]
  if call('ZSCORE', first, user) then
    local orders = sum_of(by_orders[2], by_orders[3])
    rank(first, orders, orders)
    rank(KEYS[by_spend[1]], orders, sum_of(by_spend[2], by_spend[3]))
  end
end
if plan.moved then call('HSET', KEYS[1], plan.moved, '1') end
return held[1]
