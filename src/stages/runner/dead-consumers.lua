-- Removes consumers from a group: the caller if it ends, and dead ones. Keeps those with pending entries, because XGROUP
-- DELCONSUMER forgets them. Others claim a dead consumer's entries, so a later call removes it.
-- KEYS[1] stream. ARGV[1] group, [2] the consumer that calls, [3] 1 if it ends, [4] ms of silence after which one is dead.
-- Replies the names of the removed consumers.

local group, caller, ends, dead_ms = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
if not ends then -- a sign of life: for Redis 7.0 a read that finds nothing new is not one, a read of its own entries is
  local beyond_all = '18446744073709551615-18446744073709551614' -- one below the id that ">" stands for
  redis.call('XREADGROUP', 'GROUP', group, caller, 'STREAMS', KEYS[1], beyond_all)
end

local gone = {}
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local info = {}
  for i = 1, #consumer, 2 do info[consumer[i]] = consumer[i + 1] end
  local leaves = info.name == caller and ends or info.name ~= caller and info.idle > dead_ms
  if leaves and info.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, info.name)
    gone[#gone + 1] = info.name
  end
end
return gone
