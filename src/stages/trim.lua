-- Removes from a stream what every one of its groups is done with, and corrects a group of ours that disagrees with what its
-- stage has committed: a group that somebody has set forward is set back to the first entry that it skipped.
-- KEYS[1] stream   [2..] per stage of ours the entries that it has committed
-- ARGV per stage its group, and the id up to which an earlier call has looked, or ''
-- Replies the number of entries removed, then per stage the id up to which it has looked, and 1 if its group was set back
--
-- A group is done with everything below its oldest pending entry or, with none pending, up to its last delivered one. A stage
-- of ours is done with what it has committed: where the numbers of both differ, its entries are looked at one by one.

local call = redis.call
local stream = KEYS[1]
local begun = 'begun' -- a member of its own says that commits are kept; without it the group is taken at its word, once
local max_entries, max_bytes = 1000, 4000000 -- to look at in one call: some ms

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
local function forget(done, first) -- what is not in the stream any more
  if not first then return call('ZREMRANGEBYSCORE', done, '0', '+inf') end
  local ms = parts(first)
  call('ZREMRANGEBYSCORE', done, '0', '(' .. ms)
  for _, id in ipairs(call('ZRANGEBYSCORE', done, ms, ms)) do
    if before(id, first) then call('ZREM', done, id) end
  end
end

local function is_pending(group, id) return call('XPENDING', stream, group, id, id, '1')[1] end

-- Calls `see` with the ids of entries from behind `from` up to `upto`, in order, until it returns true; all of them or, with
-- `bounded`, as many as one call may look at.
local function each(from, upto, bounded, see)
  local seen, bytes = 0, 0
  repeat
    local entries = call('XRANGE', stream, from == '' and '-' or '(' .. from, upto, 'COUNT', '20') -- each may have 1 MB
    for _, entry in ipairs(entries) do
      if see(entry[1]) then return end
      from, seen = entry[1], seen + 1
      for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    end
  until #entries < 20 or bounded and (seen >= max_entries or bytes > max_bytes)
end

local function begin(group, done)
  each('', group['last-delivered-id'], false, function(id)
    if not is_pending(group.name, id) then call('ZADD', done, (parts(id)), id) end
  end)
  call('ZADD', done, '-1', begun)
end

local function look(group, done, from)
  local last, skipped = from, false
  each(from, group['last-delivered-id'], true, function(id)
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

local reply = { 0 }
for i = 2, #KEYS do
  local done, looked = KEYS[i], ARGV[2 * i - 2]
  local group, set_back = groups[ARGV[2 * i - 3]], false
  if group then
    if not call('ZSCORE', done, begun) then begin(group, done) end
    local committed = call('ZCARD', done) - 1
    if not group.lag or call('XLEN', stream) - group.count - group.lag ~= committed then
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
if keep_from then reply[1] = call('XTRIM', stream, 'MINID', keep_from) end
first = first_entry()
for i = 2, #KEYS do forget(KEYS[i], first) end
return reply
