-- Reads how far aggregate has come, at one moment; writes nothing. MULTI would do, but a full Redis takes none.
-- KEYS[1] stream of its records   [2] counters   [3] global stats
-- ARGV[1], [2] names of two counters   [3..] fields of KEYS[3]
-- Replies the id of the last entry ever added ('' if there is no stream), then the counters and the fields; nil for none

local call = redis.pcall -- a key of another type has none of these; the books say that it cannot be read
local last = ''
local fields = call('EXISTS', KEYS[1]) == 1 and call('XINFO', 'STREAM', KEYS[1]) or {}
for i = 1, #fields, 2 do
  if fields[i] == 'last-generated-id' then last = fields[i + 1] end
end
local reply = { last }
local counters, fields = call('HMGET', KEYS[2], ARGV[1], ARGV[2]), call('HMGET', KEYS[3], unpack(ARGV, 3))
for i = 1, 2 do reply[i + 1] = counters[i] or false end
for i = 1, #ARGV - 2 do reply[i + 3] = fields[i] or false end
return reply
