-- Removes the entries of a stream that all its groups have processed. Corrects a stage's group that disagrees with the entries
-- its stage has committed: a group that was set forward is set back to the first entry that it skipped.
-- KEYS[1] stream   [2] id up to which an observer has read (see counted-feed.ts)
-- KEYS[3..] per stage the entries that it has committed
-- ARGV[1] 1 to scan the entries even if their numbers agree
-- ARGV[2..] per stage its group, and the id up to which an earlier call has scanned, or ''
-- Replies the number of entries removed, then per stage the id up to which it has scanned, and 1 if its group was set back
--
-- A group has processed everything below its oldest pending entry or, with none pending, up to its last delivered one. A stage
-- has processed the entries that it has committed: if the two numbers differ, its entries are scanned one by one. While a
-- stage's group is missing, nothing is removed.

-- include ../../stream-id.lua

local call = redis.call
local stream = KEYS[1]
-- The member `begun` marks that commits are recorded. Before that, the group's word is taken once; `begins <id>`: up to there.
local begun, begins = 'begun', 'begins '
local max_entries, max_bytes = 1000, 4000000 -- to scan in one call: some ms
local max_held = 1000 -- entries of some 40 KB that an observer may hold: a slow one must not fill Redis

local function first_entry() return (call('XRANGE', stream, '-', '+', 'COUNT', '1')[1] or {})[1] end
local function forget(done, first) -- entries that left the stream, or belong to an earlier one
  if not first then return call('ZREMRANGEBYSCORE', done, '0', '+inf') end
  local last = last_id(stream)
  local from_ms, to_ms = id_parts(first), id_parts(last)
  call('ZREMRANGEBYSCORE', done, '0', '(' .. from_ms)
  call('ZREMRANGEBYSCORE', done, '(' .. to_ms, '+inf')
  for _, ms in ipairs({ from_ms, to_ms }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', done, ms, ms)) do
      if id_before(id, first) or id_before(last, id) then call('ZREM', done, id) end
    end
  end
end

local function is_pending(group, id) return call('XPENDING', stream, group, id, id, '1')[1] end

-- Calls `see` with the ids of entries after `from` up to `upto`, in order, until it returns true or the limits of one call are
-- reached. Returns true if it has seen all.
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

-- Records the commits of a group that has none recorded yet. Returns true once it has reached the last delivered entry.
local function begin(group, done)
  local member = call('ZRANGEBYSCORE', done, '-2', '-2')[1]
  local from = member and member:sub(#begins + 1) or ''
  call('ZREM', done, member or begun) -- first: a full Redis accepts it, and then the rest of the script
  local is_all = each(from, group['last-delivered-id'], function(id)
    if not is_pending(group.name, id) then call('ZADD', done, (id_parts(id)), id) end
    from = id
  end)
  if is_all then call('ZADD', done, '-1', begun) else call('ZADD', done, '-2', begins .. from) end
  return is_all
end

local function scan(group, done, from)
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
  group.keep_from = pending[2] or id_after(group['last-delivered-id'])
  groups[group.name] = group
end

local reply, keeps_all = { 0 }, false
for i = 3, #KEYS do
  local done, scanned = KEYS[i], ARGV[2 * i - 3]
  local group, set_back = groups[ARGV[2 * i - 4]], false
  if not group or not call('ZSCORE', done, begun) and not begin(group, done) then
    keeps_all = true
  else
    local committed = call('ZCARD', done) - 1
    if ARGV[1] == '1' or not group.lag or call('XLEN', stream) - group.count - group.lag ~= committed then
      if not first or scanned ~= '' and id_before(scanned, first) then scanned = '' end
      scanned, set_back = scan(group, done, scanned)
      local keep_from = scanned == '' and (first or '0-0') or id_after(scanned)
      if id_before(keep_from, group.keep_from) then group.keep_from = keep_from end
    end
  end
  reply[#reply + 1] = scanned
  reply[#reply + 1] = set_back and 1 or 0
end

local keep_from
for _, group in pairs(groups) do
  if not keep_from or id_before(group.keep_from, keep_from) then keep_from = group.keep_from end
end
local mark = redis.pcall('GET', KEYS[2]) -- a key of another type holds nothing
local read = type(mark) == 'string' and mark:match('^%d+%-%d+$')
if read and keep_from and id_before(id_after(read), keep_from) and call('XLEN', stream) <= max_held then keep_from = id_after(read) end
if keep_from and not keeps_all then reply[1] = call('XTRIM', stream, 'MINID', keep_from) end
first = first_entry()
for i = 3, #KEYS do forget(KEYS[i], first) end
return reply
