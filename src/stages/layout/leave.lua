-- Takes an observer out of a partition, unless a process still runs it: its group would keep every entry of the stream.
-- The entries that it has committed stay known: the stream may hold them until it is back.
-- KEYS[1] stream   [2] hash: stage -> its layout   [3] entries that the observer has committed   [4] a hash of the observer's own
-- ARGV[1] its group   [2] its field in KEYS[2]   [3] ms of silence after which a consumer is dead   [4..] fields of KEYS[4] to delete
-- Replies 1 if it has left, 0 if it is run.

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if not consumers.err then -- there is such a group
  for _, consumer in ipairs(consumers) do
    for i = 1, #consumer, 2 do
      if consumer[i] == 'idle' and consumer[i + 1] < tonumber(ARGV[3]) then return 0 end
    end
  end
  redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-2', '-1') -- the marks of trim.lua: without them it has left (groups.lua)
redis.call('HDEL', KEYS[4], unpack(ARGV, 4))
return 1
