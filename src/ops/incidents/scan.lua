-- Looks at a partition: its counters at one moment, and whether its data is the same as before.
-- KEYS[1] counters   [2] layout   [3] incarnation
-- ARGV[1] the layout that the caller goes by   [2] the incarnation's id where there is none yet   [3..] names of counters
-- Replies { Redis' time } where there are other partitions since, or are to be: its counters are being moved. Else
-- { Redis' time, the incarnation ('' where none can be written), the counters }.

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
