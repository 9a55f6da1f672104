-- Renews a member's leases on partitions and takes free ones up to its share. Shares are even, to within one.
-- KEYS[1] members (sorted set: member, end of its life in ms)   [2] leases (hash: partition, `<until> <token> <member>`;
--   and `token`, which counts changes of holder)
-- ARGV[1] member   [2] ms that it and its leases live without renewal   [3] number of partitions
-- ARGV[4] 1 if it leaves
-- Replies its leases: partition, token, ... A changed token means that another member held the partition in between.

local member, lease_ms, partitions, leaves = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if leaves then redis.call('ZREM', KEYS[1], member) else redis.call('ZADD', KEYS[1], now + lease_ms, member) end

local members = redis.call('ZRANGE', KEYS[1], 0, -1)
local function share_of(name) -- by name: the set is sorted by time, and shares must not change with it
  local before = 0
  for _, other in ipairs(members) do
    if other < name then before = before + 1 end
  end
  return math.floor(partitions / #members) + (before < partitions % #members and 1 or 0)
end
local share = leaves and 0 or share_of(member)

local own, free = {}, {}
for partition = 0, partitions - 1 do
  local lease = redis.call('HGET', KEYS[2], partition)
  local till, token, holder
  if lease then till, token, holder = lease:match('^(%d+) (%d+) (.*)$') end
  if holder == member then
    if #own < share then own[#own + 1] = { partition, token } else redis.call('HDEL', KEYS[2], partition) end
  elseif not holder or tonumber(till) <= now then
    free[#free + 1] = partition
  end
end
for _, partition in ipairs(free) do
  if #own < share then own[#own + 1] = { partition, redis.call('HINCRBY', KEYS[2], 'token', 1) } end
end

local held = {}
for _, lease in ipairs(own) do
  redis.call('HSET', KEYS[2], lease[1], string.format('%.0f %s %s', now + lease_ms, lease[2], member))
  held[#held + 1] = lease[1]
  held[#held + 1] = tonumber(lease[2])
end
return held
