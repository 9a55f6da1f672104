-- Appends entries to a rebuilt invalid channel: stream, list and group. An entry that is sent again is appended once.
-- KEYS[1] stream   [2] list   [3..] sorted sets
-- ARGV per entry: id, index of its sorted set in KEYS (0 for none), record (JSON), number of fields and values, then these
-- Replies the number of appended entries: those up to the last id are there already.

-- include ../../stream-id.lua
-- include ../../stages/invalid/record.lua

local last = last_id(KEYS[1])
local at, appended = 1, 0
while at <= #ARGV do
  local id, group, record, count = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 3])
  if id_before(last, id) then
    redis.call('XADD', KEYS[1], id, unpack(ARGV, at + 4, at + 3 + count))
    file_invalid(KEYS[2], KEYS[group], id, record:sub(2))
    last, appended = id, appended + 1
  end
  at = at + 4 + count
end
return appended
