-- Puts record batches on the raw stream and counts their orders as received.
-- KEYS[1] orders:raw   [2] counters   [3] layout   [4] outcome of a job, if any
-- ARGV[1] the caller's number of partitions   [2] seconds the outcome is kept
-- ARGV[3] when they were sent to SQS, in ms, and [4] the traceparent of the span that does it: empty where there is none
-- ARGV[5] how many orders the job may have sent in this partition before; empty without a job
-- ARGV[6..] per batch the number of its records and the records (a JSON array)
-- Replies the entries' ids; none where the job was cancelled or has sent as many as it may. One write is all or nothing, so
-- the last one may go beyond.
-- Fails where there are other partitions now: no stage would read what is written here.
-- XADD is the first write: it is what a full Redis refuses, and then nothing is counted.

local layout = redis.call('GET', KEYS[3])
if layout and layout ~= ARGV[1] then
  return redis.error_reply('ORDLAYOUT ' .. layout .. ' ' .. ARGV[1])
end
local ids, received = {}, 0
for i = 6, #ARGV, 2 do received = received + tonumber(ARGV[i]) end
if KEYS[4] then
  local sent = tonumber(redis.call('HGET', KEYS[4], 'sent') or '0')
  if sent >= tonumber(ARGV[5]) or redis.call('HEXISTS', KEYS[4], 'cancelled') == 1 then return {} end
end
redis.call('HLEN', KEYS[2])
for i = 6, #ARGV, 2 do
  -- c: counted as received; entries of other clients are counted where they are judged
  local entry = { 'n', ARGV[i], 'c', '1', 'r', ARGV[i + 1] }
  local function add(field, value)
    entry[#entry + 1] = field
    entry[#entry + 1] = value
  end
  if ARGV[3] ~= '' then add('t', '[' .. ARGV[3] .. ',' .. ARGV[i] .. ']') end
  if ARGV[4] ~= '' then add('p', ARGV[4]) end
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(entry))
end
redis.call('HINCRBY', KEYS[2], 'received', received)
if KEYS[4] then
  redis.call('HINCRBY', KEYS[4], 'sent', received)
  redis.call('EXPIRE', KEYS[4], ARGV[2])
end
return ids
