-- Reads how far aggregate has come, at one moment; writes nothing. MULTI would do, but a full Redis takes none.
-- KEYS[1] stream of its records   [2] counters   [3] global stats
-- ARGV[1] name of a counter   [2..] fields of [3]
-- Replies the id of the last entry ever added ('' if there is no stream), then the counter and the fields; '' for none

local call = redis.pcall -- a key of another type has none of these; the books say that it cannot be read
local last = ''
local fields = call('EXISTS', KEYS[1]) == 1 and call('XINFO', 'STREAM', KEYS[1]) or {}
for i = 1, #fields, 2 do
  if fields[i] == 'last-generated-id' then last = fields[i + 1] end
end
local reply = { last, call('HMGET', KEYS[2], ARGV[1])[1] or '' }
local values = call('HMGET', KEYS[3], unpack(ARGV, 2))
for i = 1, #ARGV - 1 do reply[#reply + 1] = values[i] or '' end
return reply
