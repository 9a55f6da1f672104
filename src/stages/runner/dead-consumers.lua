-- Removes consumers from a group: the one that calls, if it ends, and those that are dead; only with no pending entries,
-- because XGROUP DELCONSUMER forgets them. A dead consumer's entries are claimed by others, so a later call removes it.
-- KEYS[1] stream. ARGV[1] group, [2] the consumer that calls, [3] 1 if it ends, [4] ms of silence after which one is dead.
-- Replies the names of those that are gone.

local group, caller, ends, dead_ms = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
if not ends then -- a sign of life: to Redis 7.0 a read that finds nothing new is none; a look at its own entries is
  local beyond_all = '18446744073709551615-18446744073709551614' -- one below what stands for ">"
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
