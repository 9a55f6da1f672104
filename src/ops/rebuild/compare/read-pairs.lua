-- Reads hashes of a partition and their shadows at one moment, and finds the entries that only one of the two has.
-- KEYS[1] the archive (hash)   [2] progress of the rebuild   [3] counters   [4] entries that the archive has committed
-- KEYS[5..] per stage the entries that it has committed   [n + 5..] alternating a hash and its shadow
-- ARGV[1] n, the number of stages   [2..] per stage the counter of what it has rejected
-- ARGV[n + 2..] alternating the number of a stage and an entry that brings back what it had rejected
-- Replies the chain of the archive and its last line ('' and '0' if there is none), then per stage two lists of ids: those that
-- only the stage has committed; and those that only the archive has, or that bring back what the stage had rejected and has
-- not committed; then per key of the rest { fields and values } or the
-- error as text, and its time to live in seconds as TTL replies; then the fields and values of the progress, and per stage
-- what it has rejected.
--
-- The two sets hold the entries that the stream still holds: one that is not there was committed by all.

local call = redis.call
local stages = tonumber(ARGV[1])

local function only(one, other)
  local ids = {}
  for _, id in ipairs(call('ZDIFF', '2', one, other)) do
    if id:find('^%d+%-%d+$') then ids[#ids + 1] = id end
  end
  return ids
end

local reply = { call('HGET', KEYS[1], 'chain') or '', call('HGET', KEYS[1], 'seq') or '0', {}, {} }
for i = 5, stages + 4 do
  reply[3][#reply[3] + 1] = only(KEYS[i], KEYS[4])
  reply[3][#reply[3] + 1] = only(KEYS[4], KEYS[i])
end
for i = stages + 2, #ARGV, 2 do
  local at, id = tonumber(ARGV[i]), ARGV[i + 1]
  local lacking = reply[3][2 * at]
  if not call('ZSCORE', KEYS[4 + at], id) then lacking[#lacking + 1] = id end
end
for i = stages + 5, #KEYS do
  local found = redis.pcall('HGETALL', KEYS[i])
  reply[4][#reply[4] + 1] = found.err or found
  reply[4][#reply[4] + 1] = call('TTL', KEYS[i])
end
reply[5] = call('HGETALL', KEYS[2])
reply[6] = call('HMGET', KEYS[3], unpack(ARGV, 2, stages + 1))
return reply
