-- Reads the books at one moment; writes nothing.
-- KEYS[1] counters   [2] global stats   [3] invalid stream   [4] invalid list   [5..] per stage its stream, then the sorted
--   sets of the invalid channel
-- ARGV[1] most entries   [2] most bytes to look at per stage
-- ARGV[3..] per stage its group, and 1 where only entries with field c were counted as they came in, else 0
--
-- Replies { counters (names and values in turn), { total_orders, total_revenue_minor }, { length of the invalid stream,
-- of the list, of the sorted sets together }, per stage the orders that wait in its stream for its group }; -1 where
-- there is more to look at. Without a group all of the stream waits for it. A pending entry that is no longer in the stream has no orders.

local most_entries, most_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local stages = (#ARGV - 2) / 2
local readers = {} -- stream -> group -> true
for i = 1, stages do
  readers[KEYS[4 + i]] = readers[KEYS[4 + i]] or {}
  readers[KEYS[4 + i]][ARGV[1 + 2 * i]] = true
end

local function look(stream, entry, group, only_counted) -- as decodeEntry in consume.ts; gives orders and bytes
  local fields, said, counted, alone, bytes = entry[2], nil, false, group, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'n' then said = said or fields[i + 1] end
    if fields[i] == 'c' then counted = true end
    if fields[i] == 'g' then alone = fields[i + 1] end
    bytes = bytes + #fields[i + 1]
  end
  if alone ~= group and readers[stream][alone] or only_counted and not counted then return 0, bytes end
  local orders = tonumber(said or '1') or 1
  return orders >= 1 and orders <= 10000 and orders % 1 == 0 and orders or 1, bytes
end

local function last_delivered(stream, name)
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    if info.name == name then return info['last-delivered-id'] end
  end
end

local function waiting(stream, group, only_counted)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local delivered = last_delivered(stream, group)
  if delivered and redis.call('XPENDING', stream, group)[1] > most_entries then return -1 end
  local orders, seen, bytes = 0, 0, 0
  local function add(entries)
    for _, entry in ipairs(entries) do
      local more, size = look(stream, entry, group, only_counted)
      orders, seen, bytes = orders + more, seen + 1, bytes + size
    end
    return seen <= most_entries and bytes <= most_bytes
  end
  for _, pending in ipairs(delivered and redis.call('XPENDING', stream, group, '-', '+', most_entries) or {}) do
    if not add(redis.call('XRANGE', stream, pending[1], pending[1])) then return -1 end
  end
  local from = delivered and '(' .. delivered or '-'
  while true do
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', '10') -- each may have 1 MB
    if not add(entries) then return -1 end
    if #entries < 10 then return orders end
    from = '(' .. entries[10][1]
  end
end

local groups, orders = 0, {}
for i = 1, stages do orders[i] = waiting(KEYS[4 + i], ARGV[1 + 2 * i], ARGV[2 + 2 * i] == '1') end
for i = 5 + stages, #KEYS do groups = groups + redis.call('ZCARD', KEYS[i]) end
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HMGET', KEYS[2], 'total_orders', 'total_revenue_minor'),
  { redis.call('XLEN', KEYS[3]), redis.call('LLEN', KEYS[4]), groups },
  orders,
}
