-- Records that the store has the lines of a chain up to one, and forgets most of these here.
-- KEYS[1] the archive (hash)   [2] its last lines (list)
-- ARGV[1] chain   [2] number of the line   [3] how many lines that the store has stay here
-- Replies the number of lines in the list; -1 if another chain has begun.

local call = redis.call
local known = call('HMGET', KEYS[1], 'chain', 'seq', 'stored')
if known[1] ~= ARGV[1] then return -1 end
local seq, stored = tonumber(known[2]), tonumber(known[3] or '0')
if tonumber(ARGV[2]) > stored and tonumber(ARGV[2]) <= seq then
  stored = tonumber(ARGV[2])
  call('HSET', KEYS[1], 'stored', string.format('%.0f', stored))
end
local keep = math.max(seq - stored, tonumber(ARGV[3]))
call('LTRIM', KEYS[2], string.format('%.0f', -keep), '-1')
return call('LLEN', KEYS[2])
