-- Replies 1 if no entry from before a time can come any more and the stage has committed all that came, else 0.
-- KEYS[1] stream that the stage reads   [2] entries that it has committed
-- ARGV[1] the time in ms   [2] ms that must have passed since   [3] group of the stage
--
-- The first and the last entry from before nearly always decide, and those that are pending. But a group can be set forward,
-- or an entry acknowledged by hand, so all of them must be in the set. Another stage may hold any number of them, of up to
-- 1 MB each, so they are counted, not read. The length of the stream and the set show how many entries are not committed. If
-- as many are found from the time on, none is before. Where that does not add up, as entries were deleted inside the stream,
-- those from before are looked at, while they are few.

-- include ../../stream-id.lua

local call = redis.call
local stream, done = KEYS[1], KEYS[2]
local since, rest, group = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local before = tonumber(since)
local upto = string.format('%.0f', before - 1) -- the last ms before
local max_entries, max_bytes = 1000, 1000000 -- to look at in one direction: 4 ms (2 cores, busy)

local function stream_info()
  local info, fields = {}, call('EXISTS', stream) == 1 and call('XINFO', 'STREAM', stream) or {}
  for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
  return info
end

-- Calls `see` with the ids of entries in a range until it returns false. Returns true if it has seen all of them.
local function each(command, from, to, see)
  local bytes = 0
  for _ = 1, max_entries do
    local entry = call(command, stream, from, to, 'COUNT', '1')[1]
    if not entry then return true end
    for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    if not see(entry[1]) or bytes > max_bytes then return false end
    from = '(' .. entry[1]
  end
  return false
end

local function is_committed(id) return call('ZSCORE', done, id) and true or false end

-- Returns how many entries from one id to another are committed. The set may have more for a moment (see trim.lua).
local function committed_in(first, last)
  local from, to = id_parts(first), id_parts(last)
  local count = call('ZCOUNT', done, from, to)
  for ms in pairs({ [from] = true, [to] = true }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', done, ms, ms)) do
      if id_before(id, first) or id_before(last, id) then count = count - 1 end
    end
  end
  return count
end

-- Returns the ids of up to so many pending entries in a range, none without a group.
local function pending_in(from, to, count)
  local ids = {}
  for _, pending in ipairs(redis.pcall('XPENDING', stream, group, from, to, count)) do ids[#ids + 1] = pending[1] end
  return ids
end

-- Returns true if that many entries from the time on are not committed. They are pending, or the newest.
local function has_later(missing)
  local seen, found = {}, 0
  local function see(id)
    if not seen[id] and not is_committed(id) then seen[id], found = true, found + 1 end
    return found < missing
  end
  if missing > 0 then
    for _, id in ipairs(pending_in(since, '+', max_entries)) do see(id) end
    if found < missing then each('XREVRANGE', '+', since, see) end
  end
  return found == missing
end

local time = call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) < before + rest then return 0 end

local info = stream_info()
local first = info['first-entry'] and info['first-entry'][1]
if not first or tonumber((id_parts(first))) >= before then return 1 end
local last = call('XREVRANGE', stream, upto, '-', 'COUNT', '1')[1][1]
if not is_committed(first) or not is_committed(last) or #pending_in('-', upto, 1) > 0 then return 0 end

local deleted = info['max-deleted-entry-id'] -- unknown before Redis 7.0
if deleted and id_before(deleted, first) then
  if has_later(info.length - committed_in(first, info['last-entry'][1])) then return 1 end
end
return each('XRANGE', '-', upto, is_committed) and 1 or 0
