-- Reads which roles run, and the time by the same clock: in a cluster, another server may have another.
-- KEYS[1] presence (hash): see presence.lua
-- Replies the time in ms, and the fields and values.

local time = redis.call('TIME')
local fields = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGETALL', KEYS[1]) or {}
return { time[1] * 1000 + math.floor(time[2] / 1000), fields }
