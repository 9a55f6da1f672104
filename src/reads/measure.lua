-- Reads the books at one moment, and books what is missing as lost if it is asked to; else it writes nothing.
-- KEYS[1] counters   [2] global stats   [3] invalid stream   [4] invalid list   [5..] per stage its stream, then per stage
--   the entries that it has committed, then the sorted sets of the invalid channel
-- ARGV[1] most entries   [2] most bytes to look at per stage   [3] 'write' books what is missing, 'plan' only says how much
--   that would be, 'read' does neither
-- ARGV[4] a JSON array, per stage { group, later, lost, ins, outs }: its consumer group, whether a stage of ours writes its
--   stream, its counter of lost orders, and those of what came in and of what it is done with, lost orders aside
--
-- Replies { counters (names and values in turn), { total_orders, total_revenue_minor }, { length of the invalid stream,
-- of the list, of the sorted sets together }, per stage the orders that wait in its stream for its group, per stage the
-- orders booked as lost }. Waiting is -1 where there is more to look at, or where the stage is being added and has no group
-- yet, which counts what it has missed; then nothing is booked. Else without a group all of the stream waits. These have no
-- orders: a pending entry that is no longer in the stream; one without field c, which another process wrote, and which is
-- counted when it is committed; one that is committed, whatever its group says.

local most_entries, most_bytes, mode, stages = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], cjson.decode(ARGV[4])
local readers = {} -- stream -> group -> true
for i, stage in ipairs(stages) do
  readers[KEYS[4 + i]] = readers[KEYS[4 + i]] or {}
  readers[KEYS[4 + i]][stage.group] = true
end

local function look(stream, entry, group) -- as decodeEntry in consume.ts; gives orders and bytes
  local fields, said, counted, alone, bytes = entry[2], nil, false, group, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'n' then said = said or fields[i + 1] end
    if fields[i] == 'c' then counted = true end
    if fields[i] == 'g' then alone = fields[i + 1] end
    bytes = bytes + #fields[i + 1]
  end
  if alone ~= group and readers[stream][alone] or not counted then return 0, bytes end
  local orders = tonumber(said or '1') or 1
  return orders >= 1 and orders <= 10000 and orders % 1 == 0 and orders or 1, bytes
end

local function group_of(stream, name)
  if redis.call('EXISTS', stream) == 0 then return nil, 0 end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    if info.name == name then return info['last-delivered-id'], tonumber(info.lag or 0) end -- Redis 6 has no lag
  end
  return nil, 0
end

-- Whether the group is done with entries that its stage has not committed: they are still to be given to it (see trim.lua).
local function has_skipped(stream, group, done, lag)
  if not lag or not redis.call('ZSCORE', done, 'begun') then return false end
  local acknowledged = redis.call('XLEN', stream) - redis.call('XPENDING', stream, group)[1] - lag
  return acknowledged > redis.call('ZCARD', done) - 1
end

local function waiting(stream, group, done)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local delivered, lag = group_of(stream, group)
  if delivered and redis.call('XPENDING', stream, group)[1] > most_entries then return -1 end
  -- A deletion leaves the lag too high for good, so it counts only where the stream is as long.
  if lag > most_entries and redis.call('XLEN', stream) > most_entries then return -1 end
  local orders, seen, bytes = 0, 0, 0
  local function add(entries)
    for _, entry in ipairs(entries) do
      local more, size = look(stream, entry, group)
      if redis.call('ZSCORE', done, entry[1]) then more = 0 end
      orders, seen, bytes = orders + more, seen + 1, bytes + size
    end
    return seen <= most_entries and bytes <= most_bytes
  end
  if delivered and has_skipped(stream, group, done, lag) then delivered = nil end -- all of it is looked at
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

local function sum_of(names) -- nil where one is no whole number
  local sum = 0
  for _, name in ipairs(names) do
    local value = redis.call('HGET', KEYS[1], name) or '0'
    if not value:match('^%-?%d+$') then return nil end
    sum = sum + tonumber(value)
  end
  return sum
end

local function is_being_added(stage, stream)
  if not stage.later or group_of(stream, stage.group) then return false end
  return (sum_of(stage.ins) or 0) > 0 and sum_of(stage.outs) == 0 and sum_of({ stage.lost }) == 0
end

-- What is missing beyond what is booked. Orders that came back are taken off again, down to none.
local function to_book(stage, held)
  local ins, outs, lost = sum_of(stage.ins), sum_of(stage.outs), sum_of({ stage.lost })
  if held < 0 or not (ins and outs and lost) then return 0 end
  return math.max(ins - outs - lost - held, -lost)
end

local groups, orders, booked = 0, {}, {}
for i, stage in ipairs(stages) do
  orders[i] = is_being_added(stage, KEYS[4 + i]) and -1 or waiting(KEYS[4 + i], stage.group, KEYS[4 + #stages + i])
  booked[i] = mode == 'read' and 0 or to_book(stage, orders[i])
end
for i = 5 + 2 * #stages, #KEYS do groups = groups + redis.call('ZCARD', KEYS[i]) end
local totals = redis.call('HMGET', KEYS[2], 'total_orders', 'total_revenue_minor')
local invalid = { redis.call('XLEN', KEYS[3]), redis.call('LLEN', KEYS[4]), groups }
if mode == 'write' then
  for i, stage in ipairs(stages) do
    if booked[i] ~= 0 then redis.call('HINCRBY', KEYS[1], stage.lost, string.format('%.0f', booked[i])) end
  end
end
return { redis.call('HGETALL', KEYS[1]), totals, invalid, orders, booked }
