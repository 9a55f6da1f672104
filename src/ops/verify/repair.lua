-- Puts the rebuilt leaderboards in the place of those there are, and mends the global stats; all of it or nothing.
-- KEYS[1] orders:counted   [2] counters   [3] global stats   [4] [5] leaderboards of spend and orders
-- KEYS[6] [7] the same, rebuilt
-- ARGV[1] entry up to which the rebuilt ones are   [2] what the counter said then   [3] name of the counter
-- ARGV[4] users that the rebuilt ones have at least   [5] most records to add here
-- ARGV[6] [7] orders and minor units to add to the global stats: a difference, so it holds whatever is counted meanwhile
-- ARGV[8] how many orders more the global stats had than the counter, when the difference was found
--
-- Replies 'done', or with the leaderboards as they were: 'behind' where there are more records to be added first, 'gap'
-- where some were trimmed, 'gone' where the rebuilt ones or the global stats are not what the caller found: they expired, or
-- another repair ran.

if redis.call('ZCARD', KEYS[6]) < tonumber(ARGV[4]) or redis.call('ZCARD', KEYS[7]) < tonumber(ARGV[4]) then return 'gone' end

local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[5])
if #entries == tonumber(ARGV[5]) then return 'behind' end
local records, applied = {}, tonumber(ARGV[2])
for _, entry in ipairs(entries) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  local read, batch = pcall(cjson.decode, fields.r or '')
  for _, record in ipairs(read and type(batch) == 'table' and batch or {}) do
    local sound = type(record) == 'table' and type(record.user_id) == 'string'
    if sound and type(record.order_count) == 'number' and type(record.total_spend_minor) == 'number' then
      records[#records + 1] = record
    end
  end
  if #records > tonumber(ARGV[5]) then return 'behind' end
  if fields.c and not fields.g then -- what a replay put back was counted before, what another process wrote was not
    applied = applied + (tonumber(fields.n or '1') or 1)
  end
end
if string.format('%.0f', applied) ~= (redis.call('HGET', KEYS[2], ARGV[3]) or '0') then return 'gap' end

local total = tonumber(redis.call('HGET', KEYS[3], 'total_orders') or '0') or 0
if string.format('%.0f', total - applied) ~= ARGV[8] then return 'gone' end

redis.call('ZCARD', KEYS[4]) -- what can fail is done before the first write
redis.call('ZCARD', KEYS[5])
for i, field in ipairs({ 'total_orders', 'total_revenue_minor' }) do
  local stands = redis.call('HGET', KEYS[3], field)
  -- No number: aggregate counts nothing until it is one, and the caller took it for 0.
  if stands and not stands:match('^%-?%d+$') then redis.call('HDEL', KEYS[3], field) end
  if ARGV[5 + i] ~= '0' then redis.call('HINCRBY', KEYS[3], field, ARGV[5 + i]) end
end
for _, record in ipairs(records) do
  redis.call('ZADD', KEYS[6], 'GT', string.format('%.0f', record.total_spend_minor), record.user_id)
  redis.call('ZADD', KEYS[7], 'GT', string.format('%.0f', record.order_count), record.user_id)
end
for i = 4, 5 do
  redis.call('UNLINK', KEYS[i]) -- RENAME would free a million members before it goes on
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then
    redis.call('RENAME', KEYS[i + 2], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
return 'done'
