-- Removes from a stream what every one of its groups is done with, and corrects a group of ours that disagrees with what its
-- stage has committed: a group that somebody has set forward is set back to the first entry that it skipped.
-- KEYS[1] stream   [2] id up to which an onlooker has read (see tail.ts)   [3..] per stage of ours the entries that it has
-- committed
-- ARGV[1] 1 to look at the entries even where their numbers say that all is right
-- ARGV[2..] per stage its group, and the id up to which an earlier call has looked, or ''
-- Replies the number of entries removed, then per stage the id up to which it has looked, and 1 if its group was set back
--
-- A group is done with everything below its oldest pending entry or, with none pending, up to its last delivered one. A stage
-- of ours is done with what it has committed: where the numbers of both differ, its entries are looked at one by one. While
-- the group of a stage of ours is missing, nothing is removed.

local call = redis.call
local stream = KEYS[1]
-- A member of its own says that commits are kept. Before, the group is taken at its word, once; `begins <id>`: up to there.
local begun, begins = 'begun', 'begins '
local max_entries, max_bytes = 1000, 4000000 -- to look at in one call: some ms
local max_held = 1000 -- entries that an onlooker may hold, of some 40 KB each: Redis does not fill up behind a slow one

local function parts(id) return id:match('(%d+)-(%d+)') end
local function before(a, b) -- ids are <ms>-<sequence>, both below 2^53 in practice
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_seq) < tonumber(b_seq)
end
local function after(id)
  local ms, seq = parts(id)
  if #seq >= 15 then return id end -- a sequence that no clock makes is left alone: one entry stays
  return ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
end

local function first_entry() return (call('XRANGE', stream, '-', '+', 'COUNT', '1')[1] or {})[1] end
local function last_id()
  local info = call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
local function forget(done, first) -- what is not in the stream any more, or is of another one that was there before
  if not first then return call('ZREMRANGEBYSCORE', done, '0', '+inf') end
  local last = last_id()
  local from_ms, to_ms = parts(first), parts(last)
  call('ZREMRANGEBYSCORE', done, '0', '(' .. from_ms)
  call('ZREMRANGEBYSCORE', done, '(' .. to_ms, '+inf')
  for _, ms in ipairs({ from_ms, to_ms }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', done, ms, ms)) do
      if before(id, first) or before(last, id) then call('ZREM', done, id) end
    end
  end
end

local function is_pending(group, id) return call('XPENDING', stream, group, id, id, '1')[1] end

-- Calls `see` with the ids of entries from behind `from` up to `upto`, in order, until it returns true, or as many as one call
-- may look at. Returns whether that was all.
local function each(from, upto, see)
  local seen, bytes = 0, 0
  while seen < max_entries and bytes <= max_bytes do
    local entries = call('XRANGE', stream, from == '' and '-' or '(' .. from, upto, 'COUNT', '20') -- each may have 1 MB
    for _, entry in ipairs(entries) do
      if see(entry[1]) then return false end
      from, seen = entry[1], seen + 1
      for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    end
    if #entries < 20 then return true end
  end
  return false
end

-- Returns whether all is done.
local function begin(group, done)
  local member = call('ZRANGEBYSCORE', done, '-2', '-2')[1]
  local from = member and member:sub(#begins + 1) or ''
  call('ZREM', done, member or begun) -- first: a full Redis takes it, and after it the rest of the script
  local is_all = each(from, group['last-delivered-id'], function(id)
    if not is_pending(group.name, id) then call('ZADD', done, (parts(id)), id) end
    from = id
  end)
  if is_all then call('ZADD', done, '-1', begun) else call('ZADD', done, '-2', begins .. from) end
  return is_all
end

local function look(group, done, from)
  local last, skipped = from, false
  each(from, group['last-delivered-id'], function(id)
    if not call('ZSCORE', done, id) then
      skipped = not is_pending(group.name, id)
      return true
    end
    last = id
  end)
  if skipped then call('XGROUP', 'SETID', stream, group.name, last == '' and '0-0' or last) end
  return last, skipped
end

local groups, first = {}, first_entry()
for _, fields in ipairs(call('EXISTS', stream) == 1 and call('XINFO', 'GROUPS', stream) or {}) do
  local group = {}
  for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
  local pending = call('XPENDING', stream, group.name)
  group.count = pending[1]
  group.keep_from = pending[2] or after(group['last-delivered-id'])
  groups[group.name] = group
end

local reply, keeps_all = { 0 }, false
for i = 3, #KEYS do
  local done, looked = KEYS[i], ARGV[2 * i - 3]
  local group, set_back = groups[ARGV[2 * i - 4]], false
  if not group or not call('ZSCORE', done, begun) and not begin(group, done) then
    keeps_all = true
  else
    local committed = call('ZCARD', done) - 1
    if ARGV[1] == '1' or not group.lag or call('XLEN', stream) - group.count - group.lag ~= committed then
      if not first or looked ~= '' and before(looked, first) then looked = '' end
      looked, set_back = look(group, done, looked)
      local keep_from = looked == '' and (first or '0-0') or after(looked)
      if before(keep_from, group.keep_from) then group.keep_from = keep_from end
    end
  end
  reply[#reply + 1] = looked
  reply[#reply + 1] = set_back and 1 or 0
end

local keep_from
for _, group in pairs(groups) do
  if not keep_from or before(group.keep_from, keep_from) then keep_from = group.keep_from end
end
local mark = redis.pcall('GET', KEYS[2]) -- of another type it holds nothing
local read = type(mark) == 'string' and mark:match('^%d+%-%d+$')
if read and keep_from and before(after(read), keep_from) and call('XLEN', stream) <= max_held then keep_from = after(read) end
if keep_from and not keeps_all then reply[1] = call('XTRIM', stream, 'MINID', keep_from) end
first = first_entry()
for i = 3, #KEYS do forget(KEYS[i], first) end
return reply
