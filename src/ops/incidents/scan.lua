-- Reads a partition's counters at one moment, and the id of the incarnation of its data.
-- KEYS[1] counters   [2] layout   [3] incarnation
-- ARGV[1] the caller's number of partitions   [2] id of the incarnation if there is none yet   [3..] names of counters
-- Replies { Redis' time } if the number is another one now: the counters are being moved. Otherwise replies
-- { Redis' time, incarnation ('' if it cannot be written), counters }.

local time = redis.call('TIME')
local layout = redis.call('GET', KEYS[2])
if layout and layout ~= ARGV[1] then return { time } end
local counters = redis.call('HMGET', KEYS[1], unpack(ARGV, 3))
local incarnation = redis.call('GET', KEYS[3])
if not incarnation then
  local written = redis.pcall('SET', KEYS[3], ARGV[2])
  incarnation = type(written) == 'table' and written.ok and ARGV[2] or ''
end
return { time, incarnation, counters }
