-- Removes discarded orders that are older than an id, at most so many, and counts them.
-- KEYS[1] discarded orders   [2] counters   [3] layout
-- ARGV[1] the caller's number of partitions   [2] id   [3] maximum number
-- Replies how many. Fails if the partitions have changed.

local layout = redis.call('GET', KEYS[3])
if layout and layout ~= ARGV[1] then return redis.error_reply('ORDLAYOUT ' .. layout .. ' ' .. ARGV[1]) end
redis.call('HLEN', KEYS[2])
local old = redis.call('XRANGE', KEYS[1], '-', '(' .. ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(old) do redis.call('XDEL', KEYS[1], entry[1]) end
if #old > 0 then redis.call('HINCRBY', KEYS[2], 'expired:discarded', #old) end
return #old
