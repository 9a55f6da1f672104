-- Finds a member and its neighbors on sorted sets, all at one moment; writes nothing.
-- KEYS sorted sets. ARGV[1] member   [2] number of neighbors on either side
-- Returns per set { its size, rank of the first neighbor from 0 on, { member, score, ... } best first }; for a set without
-- the member only its size.

local around, replies = tonumber(ARGV[2]), {}
for i, board in ipairs(KEYS) do
  local rank = redis.call('ZREVRANK', board, ARGV[1])
  replies[i] = { redis.call('ZCARD', board) }
  if rank then
    local from = math.max(0, rank - around)
    replies[i][2] = from
    replies[i][3] = redis.call('ZREVRANGE', board, from, rank + around, 'WITHSCORES')
  end
end
return replies
