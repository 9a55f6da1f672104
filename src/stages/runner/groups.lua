-- Creates a stream's consumer group unless it exists, and counts the orders that passed before.
-- KEYS[1] stream   [2] counters   [3] entries that the stage has committed   [4] hash: stage -> its layout (see rewire.lua)
-- KEYS[5] hash: stage -> the first entry that it is given, where orders have passed before; `first <stage>` -> the same of its
-- first begin, of one that was away; 0-0 if none had passed before that
-- ARGV[1] a JSON object:
--   group
--   field, layout  its field in KEYS[4], and the value for this process's list of stages
--   readers        all groups of the stream
--   outside        true for the first stage
--   leaves         true for an observer, which may have left (see leave.lua)
--   inflow         counters of orders that came in
--   outflow        counters of orders that the stage has processed
--   missed         counter of orders that passed before the group existed
-- Replies 1 if it was created, else 0; or the layout in KEYS[4] if that is another one, with nothing changed.
--
-- missed = came in - processed - held by the stream, for a stage that has never run, or that has left and is back. The stream
-- is scanned once in its life.

-- include entry.lua
-- include ../../stream-id.lua

local wanted = cjson.decode(ARGV[1])
local reads = redis.call('HGET', KEYS[4], wanted.field)
if reads and reads ~= wanted.layout then return reads end
redis.call('HLEN', KEYS[2]) -- commands that can fail come before the first write
if redis.call('EXISTS', KEYS[1]) == 1 then -- a full Redis refuses even a group that exists, and the stages must free memory
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    for i = 1, #group, 2 do
      if group[i] == 'name' and group[i + 1] == wanted.group then return 0 end
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREMRANGEBYSCORE', KEYS[3], '0', '+inf') end -- those of a deleted stream
redis.call('XGROUP', 'CREATE', KEYS[1], wanted.group, '0', 'MKSTREAM')
if wanted.leaves then redis.call('HSET', KEYS[4], wanted.field, wanted.layout) end -- it may have left since its process started

local function counter(name) return tonumber(redis.call('HGET', KEYS[2], name) or '0') or 0 end
local function sum(names)
  local total = 0
  for _, name in ipairs(names) do total = total + counter(name) end
  return total
end
local has_left = wanted.leaves and not redis.call('ZSCORE', KEYS[3], 'begun')
for _, name in ipairs(wanted.outflow) do
  -- It has run before: orders that its stream does not hold are lost, and the books must show that.
  if counter(name) ~= 0 and not has_left then return 1 end
end
local missed = sum(wanted.inflow) - sum(wanted.outflow)
if wanted.outside or missed <= 0 then return 1 end -- orders from outside are counted with their entry

local readers = {}
for _, name in ipairs(wanted.readers) do readers[name] = true end

local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', '1')[1]
local last = last_id(KEYS[1]) -- 0-0 if the stream is new: then its next entry comes after this ms
local ms = redis.call('TIME')
local given = first and first[1] or id_after(last ~= '0-0' and last or ms[1] .. ('%03d'):format(math.floor(ms[2] / 1000)) .. '-0')

local from = '-'
repeat
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', '20') -- each may have 1 MB
  for _, entry in ipairs(entries) do
    if not redis.call('ZSCORE', KEYS[3], entry[1]) then missed = missed - orders_for(wanted.group, entry[2], readers) end
    from = '(' .. entry[1]
  end
until #entries < 20
if missed > 0 then
  redis.call('HSET', KEYS[2], wanted.missed, string.format('%.0f', missed))
  if sum(wanted.outflow) ~= 0 then
    local before = redis.pcall('HGET', KEYS[5], wanted.group)
    redis.pcall('HSETNX', KEYS[5], 'first ' .. wanted.group, type(before) == 'string' and before or '0-0')
  end
  redis.pcall('HSET', KEYS[5], wanted.group, given) -- in a key of another type it is not known
end
return 1
