-- Creates a stream's consumer group, unless it is there, and counts what the group comes too late for.
-- KEYS[1] stream   [2] counters   [3] entries that the stage has committed
-- ARGV[1] a JSON object:
--   group
--   others         the other groups of the stream
--   outside        whether it is the first stage
--   inflow         counter of what came in
--   outflow        counters of what the stage is done with
--   missed         counter of what the group comes too late for
-- Replies 1 if it was created, else 0.
--
-- missed = came in - held by the stream, for a stage that has never worked. The stream is read through once in its life.

local wanted = cjson.decode(ARGV[1])
redis.call('HLEN', KEYS[2]) -- what can fail is done before the first write
if redis.call('EXISTS', KEYS[1]) == 1 then -- a full Redis refuses to create even what is there, and the stages are to make room
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == wanted.group then return 0 end
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREMRANGEBYSCORE', KEYS[3], '0', '+inf') end -- of a stream that is gone
redis.call('XGROUP', 'CREATE', KEYS[1], wanted.group, '0', 'MKSTREAM')

local function counter(name) return tonumber(redis.call('HGET', KEYS[2], name) or '0') or 0 end
local missed = counter(wanted.inflow)
for _, name in ipairs(wanted.outflow) do
  if counter(name) ~= 0 then return 1 end -- it has worked before: what its stream does not hold is lost, and the books are to say so
end
if wanted.outside or missed <= 0 then return 1 end -- what comes in from outside is counted with its entry

local others = {}
for _, name in ipairs(wanted.others) do others[name] = true end

local function orders_of(fields) -- as decodeEntry in consume.ts
  local said, counted, alone
  for i = 1, #fields, 2 do
    if fields[i] == 'n' then said = said or fields[i + 1] end
    if fields[i] == 'c' then counted = true end
    if fields[i] == 'g' then alone = fields[i + 1] end
  end
  if alone and others[alone] or not counted then return 0 end -- without c another process wrote it: it is counted as foreign
  local orders = tonumber(said or '1') or 1
  return orders >= 1 and orders <= 10000 and orders % 1 == 0 and orders or 1
end

local from = '-'
repeat
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', '20') -- each may have 1 MB
  for _, entry in ipairs(entries) do
    missed = missed - orders_of(entry[2])
    from = '(' .. entry[1]
  end
until #entries < 20
if missed > 0 then redis.call('HSET', KEYS[2], wanted.missed, string.format('%.0f', missed)) end
return 1
