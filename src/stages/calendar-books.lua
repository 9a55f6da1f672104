-- Reads at one moment what the totals of a partition and its calendar have counted, and the entries that one of them has
-- counted without the other. Writes nothing.
-- KEYS[1] stream that both stages read   [2] global stats   [3] books of the calendar
-- KEYS[4] [5] entries that aggregate, and the calendar, have committed
-- ARGV[1] [2] their groups   [3] max entries and [4] max bytes to look at
-- Replies { total_orders, total_revenue_minor, the books (field, value, ...), 1 if all entries were looked at,
--   { id, 1 if aggregate has committed it, 1 if the calendar has, { field, value, ... } } ... }, without the entries that both
--   have, or neither, unless they are for one group alone.

-- include ../stream-id.lua

local call, stream = redis.call, KEYS[1]
local max_entries, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])

local groups = {}
for _, fields in ipairs(call('EXISTS', stream) == 1 and call('XINFO', 'GROUPS', stream) or {}) do
  local group = {}
  for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
  groups[group.name] = group['last-delivered-id']
end

-- Returns a function that says whether a stage has committed an entry, and the ms of the last of them. Until commits are
-- recorded (see trim.lua), the word of the group counts too.
local function committed_by(key, name)
  local delivered = groups[name]
  local by_group = delivered and not call('ZSCORE', key, 'begun')
  local last = tonumber(call('ZRANGE', key, '-1', '-1', 'WITHSCORES')[2] or '-1')
  if by_group then last = math.max(last, (id_parts(delivered))) end
  return function(id)
    if call('ZSCORE', key, id) then return true end
    return by_group and not id_before(delivered, id) and not call('XPENDING', stream, name, id, id, '1')[1]
  end, last
end

local has_counted, counted_to = committed_by(KEYS[4], ARGV[1])
local has_dated, dated_to = committed_by(KEYS[5], ARGV[2])
local last = math.max(counted_to, dated_to)

local function is_for_one(fields)
  for i = 1, #fields, 2 do if fields[i] == 'g' then return true end end
  return false
end

local found, seen, bytes, from = {}, 0, 0, '-'
while last >= 0 and seen <= max_entries and bytes <= max_bytes do
  local entries = call('XRANGE', stream, from, string.format('%.0f', last), 'COUNT', '20') -- each may have 1 MB
  for _, entry in ipairs(entries) do
    local counted, dated = has_counted(entry[1]), has_dated(entry[1])
    if counted and not dated or dated and not counted or is_for_one(entry[2]) then
      found[#found + 1] = { entry[1], counted and 1 or 0, dated and 1 or 0, entry[2] }
    end
    seen, from = seen + 1, '(' .. entry[1]
    for _, field in ipairs(entry[2]) do bytes = bytes + #field end
  end
  if #entries < 20 then last = -1 end
end

local totals = call('HMGET', KEYS[2], 'total_orders', 'total_revenue_minor')
return { totals[1], totals[2], call('HGETALL', KEYS[3]), last < 0 and 1 or 0, found }
