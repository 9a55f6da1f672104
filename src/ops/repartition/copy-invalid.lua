-- Appends entries to an invalid channel that is built anew: stream, list and group, each once however often it is sent.
-- KEYS[1] stream   [2] list   [3..] sorted sets
-- ARGV per entry: id, number of its sorted set among KEYS (0 for none), record (JSON), number of fields and values, these
-- Replies how many were appended: those up to the last id are there already.

local last = { 0, -1 }
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = { info[i + 1]:match('(%d+)-(%d+)') } end
  end
end
local last_ms, last_sequence = tonumber(last[1]), tonumber(last[2])

local at, appended = 1, 0
while at <= #ARGV do
  local id, group, record, count = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 3])
  local ms, sequence = id:match('(%d+)-(%d+)')
  if tonumber(ms) > last_ms or (tonumber(ms) == last_ms and tonumber(sequence) > last_sequence) then
    redis.call('XADD', KEYS[1], id, unpack(ARGV, at + 4, at + 3 + count))
    redis.call('LPUSH', KEYS[2], '{"id":"' .. id .. '",' .. record:sub(2))
    if group > 0 then redis.call('ZADD', KEYS[group], 0, ms .. '-' .. string.rep('0', 10 - #sequence) .. sequence) end
    last_ms, last_sequence, appended = tonumber(ms), tonumber(sequence), appended + 1
  end
  at = at + 4 + count
end
return appended
