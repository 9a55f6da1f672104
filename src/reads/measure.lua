-- Reads the books of a partition at one moment. In mode 'write' it also writes missing orders off as lost.
-- KEYS[1] counters   [2] global stats   [3] invalid stream   [4] invalid list
-- KEYS[5] layouts of the stages (layout.ts)
-- KEYS[6..] per stage its stream, then per stage its committed entries, then the sorted sets of the invalid channel
-- ARGV[1] max entries and [2] max bytes to look at per stage   [3] 'write', 'plan' (only counts what 'write' would), 'read'
-- ARGV[4] JSON array, per stage { layout, from, group, later, lost, ins, outs }: its field in KEYS[5], the channel that it
--   reads by the caller's list, its consumer group, true where another stage writes its stream, its counter of lost orders,
--   its counters of incoming orders, its counters of finished orders without lost ones
-- Returns { counters (name, value, ...), { total_orders, total_revenue_minor }, { length of the invalid stream, of the list,
--   of the sorted sets together }, per stage the orders that wait, per stage the orders written off, the layouts (field,
--   value, ...) }. Where the running processes have another list of stages, nothing is written off.
--
-- Orders that wait are those in the stream that the group has not committed; without a group, all of them. The number is
-- -1 where there is more to look at than the maximum, or where a stage that is being added has no group yet; then nothing
-- is written off. These entries have no orders: pending ones that are deleted from the stream, those without field c
-- (another process wrote them, and they are counted when they are committed), and committed ones.

-- include ../stages/runner/entry.lua
-- include ../sums.lua

local max_entries, max_bytes, mode, stages = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], cjson.decode(ARGV[4])

local function stream_of(i) return KEYS[5 + i] end
local function committed_of(i) return KEYS[5 + #stages + i] end

local function groups_by_stream() -- stream -> group -> true
  local groups = {}
  for i, stage in ipairs(stages) do
    groups[stream_of(i)] = groups[stream_of(i)] or {}
    groups[stream_of(i)][stage.group] = true
  end
  return groups
end

local readers = groups_by_stream()

local function bytes_in(fields)
  local bytes = 0
  for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
  return bytes
end

-- Returns the last delivered id of a group, nil where there is none, and its lag, 0 where Redis does not know it.
local function group_of(stream, name)
  if redis.call('EXISTS', stream) == 0 then return nil, 0 end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    if info.name == name then return info['last-delivered-id'], tonumber(info.lag or 0) end
  end
  return nil, 0
end

-- True where the group has acknowledged entries that its stage has not committed: they must be delivered again (trim.lua).
local function has_skipped(stream, group, committed, lag)
  if not lag or not redis.call('ZSCORE', committed, 'begun') then return false end
  local acknowledged = redis.call('XLEN', stream) - redis.call('XPENDING', stream, group)[1] - lag
  return acknowledged > redis.call('ZCARD', committed) - 1
end

-- True where the lengths alone show that there is too much to look at. A deletion leaves the lag too high for good, so it
-- counts only where the stream is as long.
local function is_too_long(stream, group, delivered, lag)
  if delivered and redis.call('XPENDING', stream, group)[1] > max_entries then return true end
  return lag > max_entries and redis.call('XLEN', stream) > max_entries
end

-- Returns a function that adds entries up. It returns the orders so far, nil once there is too much to look at.
local function order_counter(stream, group, committed)
  local orders, seen, bytes = 0, 0, 0
  return function(entries)
    for _, entry in ipairs(entries) do
      local more = orders_for(group, entry[2], readers[stream])
      if more > 0 and redis.call('ZSCORE', committed, entry[1]) then more = 0 end
      orders, seen, bytes = orders + more, seen + 1, bytes + bytes_in(entry[2])
    end
    if seen <= max_entries and bytes <= max_bytes then return orders end
  end
end

local function add_pending(stream, group, add)
  for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', max_entries)) do
    if not add(redis.call('XRANGE', stream, pending[1], pending[1])) then return false end
  end
  return true
end

-- Adds the entries from an id on, and returns all orders; -1 where there is too much to look at.
local function add_rest(stream, from, add)
  while true do
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', '10') -- each may have 1 MB
    local orders = add(entries)
    if not orders then return -1 end
    if #entries < 10 then return orders end
    from = '(' .. entries[10][1]
  end
end

local function waiting(stream, group, committed)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local delivered, lag = group_of(stream, group)
  if is_too_long(stream, group, delivered, lag) then return -1 end
  local add = order_counter(stream, group, committed)
  if not delivered or has_skipped(stream, group, committed, lag) then return add_rest(stream, '-', add) end
  if not add_pending(stream, group, add) then return -1 end
  return add_rest(stream, '(' .. delivered, add)
end

-- Returns the sum of counters; nil where one is not a whole number.
local function sum_of(names)
  local sum = 0
  for _, name in ipairs(names) do
    local value = redis.call('HGET', KEYS[1], name) or '0'
    if not is_integer(value) then return nil end
    sum = sum + tonumber(value)
  end
  return sum
end

-- True where a later stage has not started: its group counts what the stage has missed when it is created.
local function is_being_added(stage, stream)
  if not stage.later or group_of(stream, stage.group) then return false end
  return (sum_of(stage.ins) or 0) > 0 and sum_of(stage.outs) == 0 and sum_of({ stage.lost }) == 0
end

-- Returns the missing orders that are not written off yet. Negative where written-off orders came back, down to none lost.
local function to_write_off(stage, held)
  local ins, outs, lost = sum_of(stage.ins), sum_of(stage.outs), sum_of({ stage.lost })
  if held < 0 or not (ins and outs and lost) then return 0 end
  return math.max(ins - outs - lost - held, -lost)
end

local function measure_stages()
  local orders, written_off = {}, {}
  for i, stage in ipairs(stages) do
    local stream = stream_of(i)
    orders[i] = is_being_added(stage, stream) and -1 or waiting(stream, stage.group, committed_of(i))
    written_off[i] = mode == 'read' and 0 or to_write_off(stage, orders[i])
  end
  return orders, written_off
end

local function invalid_lengths()
  local grouped = 0
  for i = 6 + 2 * #stages, #KEYS do grouped = grouped + redis.call('ZCARD', KEYS[i]) end
  return { redis.call('XLEN', KEYS[3]), redis.call('LLEN', KEYS[4]), grouped }
end

local function is_list_of_caller()
  for _, stage in ipairs(stages) do
    local layout = redis.call('HGET', KEYS[5], stage.layout)
    if layout and layout:match('^[^ ]*') ~= stage.from then return false end
  end
  return true
end

local function write_off(orders)
  for i, stage in ipairs(stages) do
    if orders[i] ~= 0 then redis.call('HINCRBY', KEYS[1], stage.lost, string.format('%.0f', orders[i])) end
  end
end

local orders, written_off = measure_stages()
local totals = redis.call('HMGET', KEYS[2], 'total_orders', 'total_revenue_minor')
local invalid = invalid_lengths()
if mode == 'write' and is_list_of_caller() then write_off(written_off) end
return { redis.call('HGETALL', KEYS[1]), totals, invalid, orders, written_off, redis.call('HGETALL', KEYS[5]) }
