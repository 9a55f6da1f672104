-- Replaces the leaderboards with the rebuilt ones and corrects the global stats: all of it or nothing.
-- KEYS[1] orders:counted   [2] counters   [3] global stats   [4] [5] leaderboards of spend and orders
-- KEYS[6] [7] the same, rebuilt   [8] erased users   [9] progress of orders rebuild
-- ARGV[1] entry up to which they were rebuilt   [2] the counter at that entry   [3] name of the counter
-- ARGV[4] name of the counter by which the global stats have fewer orders than [3]
-- ARGV[5] number of users in the rebuilt ones   [6] maximum number of records to add here
-- ARGV[7] [8] orders and minor units to add to the global stats: differences, which stay right while orders are counted
-- ARGV[9] by how much the global stats had more orders than the counters say when the difference was found
-- ARGV[10] length of KEYS[8] when the users were read   [11..] the groups of [1]
--
-- Replies 'done', or leaves the leaderboards as they were: 'behind' if more records must be added first, 'gap' if some were
-- trimmed, 'gone' if the rebuilt ones or the global stats are not what the caller found (they expired, another repair ran, or a user
-- was erased).

-- include ../../stages/runner/entry.lua

local readers = {}
for i = 11, #ARGV do readers[ARGV[i]] = true end

-- Returns the records of an entry; none if one of them is not a user's totals, as in messages.ts.
local function totals_in(text)
  local is_read, batch = pcall(cjson.decode, text or '')
  if not is_read or type(batch) ~= 'table' then return {} end
  local function is_amount(value) return type(value) == 'number' and math.abs(value) < math.huge end
  for _, record in ipairs(batch) do
    local sound = type(record) == 'table' and type(record.user_id) == 'string' and is_amount(record.orders)
    sound = sound and record.orders > 0 and record.orders <= 2 ^ 53 - 1 and record.orders % 1 == 0
    if not (sound and is_amount(record.order_count) and is_amount(record.total_spend_minor)) then return {} end
  end
  return batch
end

local users, max_records = tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call('ZCARD', KEYS[6]) ~= users or redis.call('ZCARD', KEYS[7]) ~= users then return 'gone' end

if redis.call('HLEN', KEYS[8]) ~= tonumber(ARGV[10]) then return 'gone' end

local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', max_records)
if #entries == max_records then return 'behind' end
local records, applied = {}, tonumber(ARGV[2])
for _, entry in ipairs(entries) do
  local orders, is_counted, only, text = decode_entry(entry[2], readers)
  if is_counted and not only then -- a replay puts back what was counted before; what another client wrote was never counted
    for _, record in ipairs(totals_in(text)) do records[#records + 1] = record end
    if #records > max_records then return 'behind' end
    applied = applied + orders
  end
end
if string.format('%.0f', applied) ~= (redis.call('HGET', KEYS[2], ARGV[3]) or '0') then return 'gap' end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') or 0 end
local surplus = number(KEYS[3], 'total_orders') + number(KEYS[2], ARGV[4]) - applied
if string.format('%.0f', surplus) ~= ARGV[9] then return 'gone' end

redis.call('ZCARD', KEYS[4]) -- calls that can fail come before the first write
redis.call('ZCARD', KEYS[5])
redis.call('HDEL', KEYS[9], 'token') -- what was compared before cannot be flipped: it would add the difference again
for i, field in ipairs({ 'total_orders', 'total_revenue_minor' }) do
  local current = redis.call('HGET', KEYS[3], field)
  -- Not a number: aggregate cannot count until it is one, and the caller took it for 0.
  if current and not current:match('^%-?%d+$') then redis.call('HDEL', KEYS[3], field) end
  if ARGV[6 + i] ~= '0' then redis.call('HINCRBY', KEYS[3], field, ARGV[6 + i]) end
end
for _, record in ipairs(records) do -- the last one of a user stands
  for at, score in ipairs({ record.total_spend_minor, record.order_count }) do
    if record.order_count > 0 then
      redis.call('ZADD', KEYS[5 + at], string.format('%.0f', score), record.user_id)
    else
      redis.call('ZREM', KEYS[5 + at], record.user_id)
    end
  end
end
for i = 4, 5 do
  redis.call('UNLINK', KEYS[i]) -- RENAME would free a million members while it blocks Redis
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then
    redis.call('RENAME', KEYS[i + 2], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
return 'done'
